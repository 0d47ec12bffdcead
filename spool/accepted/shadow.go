package accepted

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A device shadow desires settings for as long as its document says so, which is not what was
// given once: a key that is not desired any more returns to the file, and one that was taken
// back here, because the device did not connect with it or by who stands at the machine, must
// not be set again and again by a document that still has it. So a revision remembers, beside the
// settings, what of them each shadow has set, and what of that was taken back. Both are saved
// with the settings in one file, so that no power cut parts them.

// Shadow is what a device shadow has to do with the settings.
type Shadow struct {
	// Laid is what of the settings the shadow has set, written as they are.
	Laid map[string]any `json:"laid,omitempty"`
	// Dropped are desired values that were taken back. They are not set again until the
	// shadow has desired another value meanwhile, or none.
	Dropped []Dropped `json:"dropped,omitempty"`
}

// Dropped is a desired value that was taken back.
type Dropped struct {
	Path  []string `json:"path"` // [things, TG_BME, interval]
	Value any      `json:"value"`
	Why   string   `json:"why"`
}

// Settle moves what shadows have laid and the settings do not have any more to what was dropped.
func (r *Revision) Settle(why string) {
	if len(r.Shadows) == 0 {
		return
	}
	all := map[string]Shadow{}
	for name, s := range r.Shadows {
		kept := Shadow{Dropped: slices.Clone(s.Dropped)}
		kept.Laid, _ = settle(s.Laid, r.Settings, nil, func(path []string, value any) {
			kept.Dropped = append(kept.Dropped, Dropped{path, value, why})
		}).(map[string]any)
		all[name] = kept
	}
	r.Shadows = all
}

// settle returns what laid and settings have in common, and calls drop for the rest of laid.
func settle(laid, settings any, path []string, drop func(path []string, value any)) any {
	inner, isObject := laid.(map[string]any)
	if !isObject {
		if reflect.DeepEqual(laid, settings) {
			return laid
		}
		drop(slices.Clone(path), laid)
		return nil
	}
	have, _ := settings.(map[string]any)
	kept := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(inner)) {
		if v := settle(inner[key], have[key], append(path, key), drop); v != nil {
			kept[key] = v
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// Want takes out of a desired state, which is written as settings, what was dropped before, and
// returns the rest, which dropped values stay so, and why, by key. The others are forgotten: the
// shadow desires another value of them, or none.
func (s Shadow) Want(desired map[string]any) (rest map[string]any, dropped []Dropped, why map[string]string) {
	rest, why = desired, map[string]string{}
	for _, d := range s.Dropped {
		if left, found := without(rest, d.Path, d.Value); found {
			rest, dropped = left, append(dropped, d)
			why[strings.Join(d.Path, ".")] = d.Why
		}
	}
	return rest, dropped, why
}

// without returns a tree without the value at path, if that is there.
func without(tree map[string]any, path []string, value any) (rest map[string]any, found bool) {
	v, there := tree[path[0]]
	if !there {
		return tree, false
	}
	rest = maps.Clone(tree)
	if len(path) > 1 {
		inner, isObject := v.(map[string]any)
		if !isObject {
			return tree, false
		}
		left, found := without(inner, path[1:], value)
		if !found {
			return tree, false
		}
		rest[path[0]] = left
		if len(left) > 0 {
			return rest, true
		}
	} else if !reflect.DeepEqual(v, value) {
		return tree, false
	}
	delete(rest, path[0])
	return rest, true
}

// Changes returns what makes after of before, as Merge takes it.
func Changes(before, after map[string]any) map[string]any {
	changes := map[string]any{}
	for key, v := range after {
		inner, isObject := v.(map[string]any)
		was, wasObject := before[key].(map[string]any)
		switch {
		case isObject && wasObject:
			if c := Changes(was, inner); len(c) > 0 {
				changes[key] = c
			}
		case !reflect.DeepEqual(v, before[key]):
			changes[key] = v
		}
	}
	for key, v := range before {
		if _, stays := after[key]; !stays {
			changes[key] = nothing(v)
		}
	}
	return changes
}

// nothing removes a value, and of an object what it has, for others may have set more in it.
func nothing(v any) any {
	inner, isObject := v.(map[string]any)
	if !isObject {
		return nil
	}
	all := map[string]any{}
	for key, v := range inner {
		all[key] = nothing(v)
	}
	return all
}

// Why a value of a shadow was taken back.
const (
	whyFile  = "taken back: the configuration file on the machine is newer"
	whyReset = "taken back on the machine with pithings config reset"
)

// Over returns the revision as it stands over a file: of another file's nothing counts.
func (r *Revision) Over(file []byte) Revision {
	if r == nil {
		return Revision{Base: Sum(file)}
	}
	over := *r
	if over.Base != Sum(file) {
		over.Base, over.Settings, over.Connections = Sum(file), nil, nil
		over.Settle(whyFile)
	}
	return over
}

// without returns a revision without settings.
func (r *Revision) without(from string) Revision {
	empty := Revision{From: from}
	if r != nil {
		empty.Base, empty.Shadows = r.Base, r.Shadows
		empty.Settle(whyReset)
	}
	return empty
}

// changed is why a value was taken back that another has changed.
func changed(from string) string { return fmt.Sprintf("changed since by %s", from) }

// Again returns the revision with the settings of an earlier one.
func (r *Revision) Again(from string, to *Revision) Revision {
	next := Revision{Base: r.Base, From: from, Settings: to.Settings, Connections: to.Connections, Shadows: r.Shadows}
	next.Settle(changed(from))
	return next
}

// With returns the revision with changes, of what from gives.
func (r *Revision) With(from string, changes map[string]any) (Revision, error) {
	settings, err := Merge(r.Settings, changes)
	if err != nil {
		return Revision{}, err
	}
	next := Revision{Base: r.Base, From: from, Settings: settings, Connections: r.Connections, Shadows: r.Shadows}
	next.Settle(changed(from))
	return next, nil
}
