package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"pithings/api"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

// ListedGroup is a group with what is in it.
type ListedGroup struct {
	Name      string   `json:"name"`
	Type      string   `json:"type" jsonschema:"collect or alarm"`
	Polling   float64  `json:"polling,omitempty" jsonschema:"seconds between samples"`
	Upload    float64  `json:"upload,omitempty" jsonschema:"seconds between rounds that rules get; 0: each sample"`
	Variables []string `json:"variables,omitempty" jsonschema:"DEVICE.NAME, or DEVICE of all quantities of a device"`
	Alarms    []string `json:"alarms,omitempty"`
	Rules     []string `json:"rules,omitempty" jsonschema:"publish rules that get it"`
}

// Groups lists the groups of the settings: those of alarms need not be named there.
func (g *Gateway) Groups() []ListedGroup {
	s := g.o.Settings
	all := []ListedGroup{}
	at := map[string]int{}
	group := func(name, kind string) *ListedGroup {
		if _, ok := at[name]; !ok {
			at[name] = len(all)
			all = append(all, ListedGroup{Name: name, Type: kind})
		}
		return &all[at[name]]
	}
	for _, one := range s.groups() {
		l := group(one.Name, one.Type)
		if one.Type != collect.Alarms {
			l.Type, l.Polling, l.Upload = collect.Collect, one.Polling.Seconds(), one.Upload.Seconds()
		}
	}
	for i := range s.Variables {
		v := &s.Variables[i]
		name := v.Device
		if n := cmp.Or(v.Name, v.Value); n != "" {
			name += "." + n
		}
		l := group(v.Group, collect.Collect)
		l.Variables = append(l.Variables, name)
	}
	for i := range s.Alarms {
		l := group(s.Alarms[i].Group, collect.Alarms)
		l.Alarms = append(l.Alarms, s.Alarms[i].Name)
	}
	for i := range s.Publish {
		for _, name := range s.Publish[i].Groups {
			l := group(name, collect.Collect)
			l.Rules = append(l.Rules, s.Publish[i].Name)
		}
	}
	return all
}

// ListedScript is a script of a rule, which can be tried.
type ListedScript struct {
	Kind     string `json:"kind" jsonschema:"publish, subscribe or function"`
	Rule     string `json:"rule"`
	Function string `json:"function" jsonschema:"the main function"`
}

// Scripts lists the scripts of the rules.
func (g *Gateway) Scripts() []ListedScript {
	all := []ListedScript{}
	g.o.Settings.scripts(func(_, name, kind string, s *rule.Script) {
		if !s.None() {
			all = append(all, ListedScript{kind, name, s.Function})
		}
	})
	return all
}

// TryRequest asks for a trial of a script.
type TryRequest struct {
	Kind string          `json:"kind" jsonschema:"of the rule: publish, subscribe or function"`
	Rule string          `json:"rule" jsonschema:"its name"`
	Data json.RawMessage `json:"data" jsonschema:"what the main function gets: data_collect, or topic and payload of a message"`
}

// Tried is what a script did in a trial.
type Tried struct {
	Output []string `json:"output" jsonschema:"lines of the log as LEVEL TEXT, messages as TOPIC PAYLOAD, writes as write DEVICE.VARIABLE VALUE, and last the result as JSON"`
	More   bool     `json:"more,omitempty" jsonschema:"whether it did more than is listed"`
	Error  string   `json:"error,omitempty" jsonschema:"the exception or limit that ended it"`
}

// Try calls the main function of a rule's script once, with data, within the limits of the
// settings. Nothing is published, written or kept, nothing of the rule's own is read, and
// requests are not there.
func (g *Gateway) Try(ctx context.Context, r TryRequest) (Tried, error) {
	var found *rule.Script
	topic := ""
	g.o.Settings.scripts(func(_, name, kind string, s *rule.Script) {
		if kind == r.Kind && name == r.Rule && !s.None() {
			found = s
		}
	})
	if found == nil {
		return Tried{}, fmt.Errorf("the gateway has no %.20s rule %.80q with a script (%w)", cmp.Or(r.Kind, "such"), r.Rule, api.Status(http.StatusNotFound))
	}
	for i := range g.o.Settings.Publish {
		if p := &g.o.Settings.Publish[i]; r.Kind == "publish" && p.Name == r.Rule {
			topic = p.Topic
			if expanded, err := g.o.Params.Expand(topic); err == nil {
				topic = expanded
			}
		}
	}
	if len(r.Data) == 0 {
		r.Data = json.RawMessage("{}")
	}
	out := &bounded{}
	t := rule.Trial{Script: *found, Name: r.Rule, Data: r.Data, Topic: topic, Out: out, Params: g.o.Params, Limits: g.o.Settings.Limits}
	err := t.Run(ctx)
	tried := Tried{Output: out.lines(), More: out.more}
	if err != nil {
		if ctx.Err() != nil {
			return tried, context.Cause(ctx)
		}
		tried.Error = err.Error()
	}
	return tried, nil
}

// maxTried bounds the output of a trial, in bytes.
const maxTried = 64 << 10

// bounded takes no more than maxTried bytes.
type bounded struct {
	bytes.Buffer
	more bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxTried - b.Len(); len(p) > room {
		b.more = true
		b.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

func (b *bounded) lines() []string {
	text := strings.ToValidUTF8(strings.TrimSuffix(b.String(), "\n"), "?")
	if text == "" {
		return []string{}
	}
	return strings.Split(text, "\n")
}
