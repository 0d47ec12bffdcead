package configure

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"pithings/conf"
	"pithings/spool/accepted"
)

// Revision is a state of the settings from afar, in which nothing is that was said to be a
// secret.
type Revision struct {
	Revision int       `json:"revision"`
	Time     time.Time `json:"time" jsonschema:"as the clock of this machine had it"`
	From     string    `json:"from" jsonschema:"who gave it: token NAME, session of ADDRESS, command, job ID, shadow NAME; or why the agent took others back"`
	State    string    `json:"state" jsonschema:"trial: the agent tries to connect with it; accepted; rolled_back"`
	Reason   string    `json:"reason,omitempty" jsonschema:"why it was rolled back"`
	InForce  bool      `json:"in_force,omitempty" jsonschema:"the newest one, which counts"`
	Keys     []string  `json:"keys,omitempty" jsonschema:"keys that differ from the revision before"`
}

// The values of Revision.State.
const (
	OnTrial    = "trial"
	Accepted   = "accepted"
	RolledBack = "rolled_back"
)

// revisions lists the last states, the newest first.
func (x *API) revisions() ([]Revision, error) {
	list := []Revision{}
	if x.State == "" {
		return list, nil
	}
	all, err := accepted.All(x.State)
	if len(all) == 0 && err != nil {
		return nil, err
	}
	for i, r := range all {
		one := Revision{Revision: r.Number, Time: r.Time, From: r.From, InForce: i == 0}
		one.State, one.Reason = became(all, &r)
		var before accepted.Revision
		if i+1 < len(all) {
			before = all[i+1]
		}
		one.Keys = differing(&before, &r)
		list = append(list, one)
	}
	return list, nil
}

// became is what has become of a revision, of all, the newest first.
func became(all []accepted.Revision, r *accepted.Revision) (state, reason string) {
	if !r.Trial {
		return Accepted, ""
	}
	for _, later := range slices.Backward(all) {
		switch {
		case later.Number <= r.Number:
		case later.Undoes >= r.Number:
			return RolledBack, later.From
		case !later.Trial:
			return Accepted, "" // together with it
		}
	}
	return OnTrial, ""
}

// differing are the keys of which two revisions have other values.
func differing(before, after *accepted.Revision) []string {
	was, is := map[string]any{}, map[string]any{}
	flat(before, was)
	flat(after, is)
	keys := map[string]bool{}
	for key, v := range is {
		if other, there := was[key]; !there || !reflect.DeepEqual(other, v) {
			keys[key] = true
		}
	}
	for key := range was {
		if _, there := is[key]; !there {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// flat notes the values of a revision by their keys.
func flat(r *accepted.Revision, into map[string]any) {
	var walk func(at string, v any)
	walk = func(at string, v any) {
		if inner, ok := v.(map[string]any); ok {
			for key := range inner {
				walk(conf.Join(at, key), inner[key])
			}
			return
		}
		into[at] = v
	}
	walk("", r.Settings)
	for name, c := range r.Connections {
		at := "mqtt."
		if name != "" {
			at = "things." + name + ".mqtt."
		}
		into[at+"endpoint"], into[at+"username"], into[at+"password"], into[at+"server_name"] = c.Endpoint, c.Username, c.Password, c.ServerName
	}
}
