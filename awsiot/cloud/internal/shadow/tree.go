package shadow

import (
	"encoding/json"
	"maps"
	"slices"
)

// merge returns state and metadata with a patch in them. A value that is null or an empty
// object removes the key, an object is merged, all else replaces what is there, arrays as a
// whole. stamp is the metadata of each value that the patch sets. What becomes empty is nil.
func merge(state, meta, patch Tree, stamp Tree) (Tree, Tree) {
	state, meta = maps.Clone(state), maps.Clone(meta)
	if state == nil {
		state, meta = Tree{}, Tree{}
	}
	for key, value := range patch {
		object, isObject := value.(Tree)
		if value == nil || isObject && len(object) == 0 {
			delete(state, key)
			delete(meta, key)
			continue
		}
		if !isObject {
			state[key], meta[key] = value, stamped(value, stamp)
			continue
		}
		old, was := state[key].(Tree)
		var oldMeta Tree
		if was {
			oldMeta, _ = meta[key].(Tree)
		}
		inner, innerMeta := merge(old, oldMeta, object, stamp)
		if inner == nil {
			delete(state, key)
			delete(meta, key)
			continue
		}
		state[key], meta[key] = inner, innerMeta
	}
	if len(state) == 0 {
		return nil, nil
	}
	return state, meta
}

// stamped returns the metadata of a value: the stamp in the place of each leaf.
func stamped(value any, stamp Tree) any {
	switch v := value.(type) {
	case Tree:
		m := make(Tree, len(v))
		for key, inner := range v {
			m[key] = stamped(inner, stamp)
		}
		return m
	case []any:
		m := make([]any, len(v))
		for i, inner := range v {
			m[i] = stamped(inner, stamp)
		}
		return m
	}
	return stamp
}

// differ returns what of desired reported lacks or has otherwise, with its metadata; nil if
// there is nothing.
func differ(desired, reported, meta Tree) (delta, deltaMeta Tree) {
	delta, deltaMeta = Tree{}, Tree{}
	for key, want := range desired {
		has, reports := reported[key]
		wantTree, isTree := want.(Tree)
		hasTree, hasIsTree := has.(Tree)
		switch {
		case reports && isTree && hasIsTree:
			inner, _ := meta[key].(Tree)
			if d, m := differ(wantTree, hasTree, inner); d != nil {
				delta[key], deltaMeta[key] = d, m
			}
		case !reports || !same(want, has):
			delta[key], deltaMeta[key] = want, meta[key]
		}
	}
	if len(delta) == 0 {
		return nil, nil
	}
	return delta, deltaMeta
}

// same reports whether two values of JSON are equal; 1 is 1.0.
func same(a, b any) bool {
	switch a := a.(type) {
	case Tree:
		b, ok := b.(Tree)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	}
	switch b.(type) {
	case Tree, []any:
		return false
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	_, err := a.Int64()
	_, err2 := b.Int64()
	if err == nil && err2 == nil { // floats would round long ones
		return false
	}
	x, err := a.Float64()
	y, err2 := b.Float64()
	return err == nil && err2 == nil && x == y
}

// depth returns how many levels of objects and arrays a value has, and whether an array in it
// has a null.
func depth(value any) (levels int, nulls bool) {
	count := func(inner any) {
		n, has := depth(inner)
		levels, nulls = max(levels, n), nulls || has
	}
	switch v := value.(type) {
	case Tree:
		for _, inner := range v {
			count(inner)
		}
	case []any:
		for _, inner := range v {
			nulls = nulls || inner == nil
			count(inner)
		}
	default:
		return 0, false
	}
	return levels + 1, nulls
}
