package conf

import "github.com/goccy/go-yaml/ast"

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	At    Node // the key
	Value Node
}

// Entries returns a mapping's keys in the order of the file, those merged with "<<" last.
// what names the mapping in messages.
func (d *nodes) Entries(n Node, what string) (list []Entry, ok bool) {
	return d.entries(n, what, 0)
}

func (d *nodes) entries(n Node, what string, depth int) (list []Entry, ok bool) {
	if n = d.follow(n); n == nil {
		return nil, false
	}
	if depth > maxDepth {
		d.Fail(n, "this is nested too deeply")
		return nil, false
	}
	if n.Type() == ast.NullType {
		return nil, true
	}
	m, isMap := n.(ast.MapNode)
	if !isMap {
		d.Fail(n, "%s: %s stands where \"key: value\" lines belong", what, describe(n))
		return nil, false
	}
	seen := map[string]Node{}
	var merged []Entry
	for it := m.MapRange(); it.Next(); {
		if !d.count(n) {
			return nil, false
		}
		if it.Key().IsMergeKey() {
			merged = append(merged, d.merged(it.Value(), what, depth)...)
			continue
		}
		key, at := d.key(it.Key())
		if at == nil {
			continue
		}
		if first := seen[key]; first != nil {
			line, column := position(first)
			d.Fail(at, "key %q is given twice; the first is at %d:%d", key, line, column)
			continue
		}
		seen[key] = at
		list = append(list, Entry{key, at, it.Value()})
	}
	for _, e := range merged {
		if seen[e.Key] == nil {
			seen[e.Key] = e.At
			list = append(list, e)
		}
	}
	return list, true
}

// merged returns what a "<<" key brings: one mapping, or a list of them.
func (d *nodes) merged(n Node, what string, depth int) (list []Entry) {
	n = d.follow(n)
	if s, ok := n.(*ast.SequenceNode); ok {
		for _, v := range s.Values {
			more, _ := d.entries(v, what, depth+1)
			list = append(list, more...)
		}
		return list
	}
	if n != nil {
		list, _ = d.entries(n, what, depth+1)
	}
	return list
}

// key returns a mapping key as text, and nil when it is none.
func (d *nodes) key(n Node) (string, Node) {
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	s, ok := n.(ast.ScalarNode)
	if !ok || s.GetToken() == nil {
		d.Fail(n, "a key must be a single word")
		return "", nil
	}
	return s.GetToken().Value, n
}

// Items returns the items of a list.
func (d *nodes) Items(e Entry) []Node {
	n := d.follow(e.Value)
	switch s := n.(type) {
	case nil, *ast.NullNode:
	case *ast.SequenceNode:
		return s.Values
	default:
		d.Fail(n, "%s: %s stands where a list belongs; begin each item with \"- \"", e.Key, describe(n))
	}
	return nil
}
