package configure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/api"
	"pithings/conf"
	"pithings/spool/accepted"
)

// Change is a change of the configuration.
type Change struct {
	Base    string         `json:"base" jsonschema:"the state on which the change is based, as GET /api/v1/config shows it"`
	Changes map[string]any `json:"changes" jsonschema:"keys as in a configuration, things by their names; null takes a change back"`
}

// Revert is a return to an earlier state.
type Revert struct {
	Base     string `json:"base" jsonschema:"as of a change"`
	Revision int    `json:"revision" jsonschema:"the number of that state; 0: the configuration file alone"`
}

// Kept is the answer to a change that was kept.
type Kept struct {
	Revision    int          `json:"revision" jsonschema:"its number; GET /api/v1/config/revisions shows what becomes of it"`
	Base        string       `json:"base" jsonschema:"for the next change"`
	Differences []Difference `json:"differences"`
}

// Check is what a change would do.
type Check struct {
	OK          bool         `json:"ok"`
	Differences []Difference `json:"differences" jsonschema:"keys that it changes, in what runs"`
	Restart     []string     `json:"restart,omitempty" jsonschema:"of these, the keys that take effect at the next start of the agent"`
	Problems    []Problem    `json:"problems,omitempty" jsonschema:"why it would be refused"`
	Warnings    []Problem    `json:"warnings,omitempty"`
}

// Difference is a key that a change changes.
type Difference struct {
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Secret bool            `json:"secret,omitempty" jsonschema:"a secret, which is not shown; it may be the same as before"`
}

// Problem is what is wrong, at a key or a line.
type Problem struct {
	Key     string `json:"key,omitempty"`
	Source  string `json:"source,omitempty" jsonschema:"the file, or who gave the value"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// check answers what a change would do.
func (x *API) check(ctx context.Context, who string, in *Change) (out Check, err error) {
	if x.Load == nil {
		return out, fmt.Errorf("%w (%w)", errNoConfigFile, api.Status(http.StatusConflict))
	}
	k, problems := x.candidate(who, in.Changes)
	err = x.Turn(ctx, func() error {
		if in.Base != "" {
			if err := x.stands(in.Base); err != nil {
				return err
			}
		}
		if len(problems) == 0 {
			out = x.preview(k)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Problems = append(problems, out.Problems...)
	out.OK = len(out.Problems) == 0
	if out.Differences == nil {
		out.Differences = []Difference{}
	}
	return out, nil
}

// preview compares what a candidate would be with what runs. It is for within a Turn.
func (x *API) preview(k *config.Candidate) (out Check) {
	k.State = x.State
	now := x.Current()
	clean := x.Clean(now, k)
	next, warnings, err := x.Load(k.Over)
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, problemOf(&w, now, clean))
	}
	var wrong *conf.Error
	switch {
	case errors.As(err, &wrong):
		for i := range wrong.Problems {
			out.Problems = append(out.Problems, problemOf(&wrong.Problems[i], now, clean))
		}
		return out
	case err != nil:
		out.Problems = []Problem{{Message: clean(err.Error())}}
		return out
	}
	if _, err := k.Revision.Encode(); err != nil {
		out.Problems = []Problem{{Message: clean(err.Error())}}
		return out
	}
	out.Differences, out.Restart = x.differences(now, next, k)
	return out
}

func problemOf(p *conf.Problem, c *config.Config, clean func(string) string) Problem {
	message := p.Message
	if p.Fix != "" {
		message += ": " + p.Fix
	}
	return Problem{Key: c.NameOf(p.Key), Source: p.Source, Line: p.Line, Column: p.Column, Message: clean(message)}
}

// differences are the keys of which the values differ, and those of them that wait for the next
// start. A secret that was typed is always among them: that it is the same is not for others.
func (x *API) differences(now, next *config.Config, k *config.Candidate) (all []Difference, restart []string) {
	all = []Difference{}
	was := map[string]json.RawMessage{}
	for _, v := range now.Settings() {
		was[v.Name] = masked(v.Value)
	}
	for _, v := range next.Settings() {
		before, there := was[v.Name]
		after := masked(v.Value)
		delete(was, v.Name)
		given, secret := secretOf(k, v.Name)
		switch {
		case given:
			all = append(all, Difference{Key: v.Name, Before: before, After: after, Secret: true})
		case !there || string(before) != string(after):
			all = append(all, Difference{Key: v.Name, Before: before, After: after, Secret: secret})
		default:
			continue
		}
		if x.Fixed(v.Path) {
			restart = append(restart, v.Name)
		}
	}
	for _, v := range now.Settings() { // of lists that are shorter now
		if before, gone := was[v.Name]; gone {
			all = append(all, Difference{Key: v.Name, Before: before})
		}
	}
	return all, restart
}

// secretOf reports whether a key is the secret of a connection, and whether a candidate gives it.
func secretOf(k *config.Candidate, key string) (given, secret bool) {
	connection, ok := strings.CutSuffix(key, "mqtt.password")
	if !ok {
		return false, false
	}
	_, given = k.Connections[strings.TrimSuffix(strings.TrimPrefix(connection, "things."), ".")]
	return given || k.To != nil, true
}

// change keeps a change, and begins to try it.
func (x *API) change(ctx context.Context, who string, in *Change) (Kept, error) {
	if x.Load == nil {
		return Kept{}, fmt.Errorf("%w (%w)", errNoConfigFile, api.Status(http.StatusConflict))
	}
	k, problems := x.candidate(who, in.Changes)
	if len(problems) > 0 {
		return Kept{}, unprocessable(problems)
	}
	return x.keep(ctx, in.Base, k)
}

// revert keeps the settings of an earlier state again, and begins to try them.
func (x *API) revert(ctx context.Context, who string, in *Revert) (Kept, error) {
	if x.Load == nil {
		return Kept{}, fmt.Errorf("%w (%w)", errNoConfigFile, api.Status(http.StatusConflict))
	}
	k := &config.Candidate{From: who + ": revert to " + fmt.Sprint(in.Revision), To: new(accepted.Revision)}
	if in.Revision != 0 {
		all, _ := accepted.All(x.State) // what cannot be read cannot come back
		i := slices.IndexFunc(all, func(r accepted.Revision) bool { return r.Number == in.Revision })
		if i < 0 {
			return Kept{}, fmt.Errorf("there is no revision %d (any more) (%w)", in.Revision, api.Status(http.StatusNotFound))
		}
		k.To = &all[i]
	}
	return x.keep(ctx, in.Base, k)
}

// keep keeps a candidate that is based on a state, and begins to try it.
func (x *API) keep(ctx context.Context, base string, k *config.Candidate) (out Kept, err error) {
	if base == "" {
		return out, fmt.Errorf("base is missing: the state on which the change is based, as GET %s shows it (%w)", Path, api.Status(http.StatusBadRequest))
	}
	var r accepted.Revision
	err = x.Turn(ctx, func() (err error) {
		if err := x.stands(base); err != nil {
			return err
		}
		would := x.preview(k)
		if len(would.Problems) > 0 {
			x.Log.Warn("settings are refused", "from", k.From, "n", len(would.Problems))
			return unprocessable(would.Problems)
		}
		out.Differences = would.Differences
		r, err = x.Keep(k)
		return err
	})
	if err != nil {
		return Kept{}, err
	}
	x.Apply(r)
	out.Revision, out.Base = r.Number, baseOf(r.Number, r.Base)
	return out, nil
}

// unprocessable is the error of a change with problems.
func unprocessable(problems []Problem) error {
	var lines []string
	for _, p := range problems {
		if p.Key != "" && !strings.Contains(p.Message, p.Key) {
			p.Message = p.Key + ": " + p.Message
		}
		lines = append(lines, p.Message)
	}
	return fmt.Errorf("%s (%w)", strings.Join(lines, "\n"), api.Status(http.StatusUnprocessableEntity))
}
