package rule

import (
	"context"
	"log/slog"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/script"
	"pithings/mqttlink"
)

// Link is the connection of the rules.
type Link interface {
	mqttlink.Client
	Connected() bool
}

// HTTP makes a request of a script. The answer is what JSON makes of it, or a text.
type HTTP func(ctx context.Context, method, url, body string) (any, error)

// Env is what rules work with.
type Env struct {
	Link   Link
	Params Params
	Limits Limits
	HTTP   HTTP                // nil: scripts cannot use it
	Folder string              // of the scripts' files and variables; "": they have none
	Bus    bool                // whether there is a local bus as of 2.x
	Field  func() *field.Field // the variables
	Tags   func() *Dict        // the answer of get_tag_config
	Config func() (any, error) // that of quickfaas.config.get
	Log    *slog.Logger

	// What the rules of an Env share; New sets them.
	Shared *Shared
	Topic  func(group string) (topic string, qos byte, ok bool) // of the publish rule of a group
	Recall func(groups []string)
}

// limits are those of a script.
func (e *Env) limits() script.Limits {
	return script.Limits{Steps: e.Limits.Steps, Memory: int(e.Limits.Memory), Time: e.Limits.Time.Duration}
}

// The limits of an expression, which runs at each poll.
const (
	expressionSteps = 100_000
	expressionTime  = 500 * time.Millisecond
)

// Compute compiles the expression of a variable.
func (e *Env) Compute(v *collect.Variable) (func(collect.Round) (any, error), error) {
	// It begins in the first line, as the lines of messages say.
	program, err := script.Compile("expression of "+v.Device+"."+v.Name, "def main(values): return ("+v.Expression+"\n    )\nimport math, time\n")
	if err != nil {
		return nil, err
	}
	limits := e.limits()
	limits.Steps, limits.Time = min(limits.Steps, expressionSteps), min(limits.Time, expressionTime)
	s, err := script.New(context.Background(), program, script.Options{Limits: limits})
	if err != nil {
		return nil, err
	}
	return func(all collect.Round) (any, error) {
		values := new(Dict)
		for _, s := range all.Samples {
			if s.Good {
				values.at(s.Device).add(s.Name, s.Value)
			}
		}
		in, err := toScript(values)
		if err != nil {
			return nil, err
		}
		out, err := s.Call(context.Background(), "main", in)
		if err != nil {
			return nil, err
		}
		return script.ToGo(out)
	}, nil
}
