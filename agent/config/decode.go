package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow"
)

// maxNodes bounds the values decoded, aliases expanded.
const maxNodes = 50_000

// maxDepth bounds the nesting of aliases in anchors.
const maxDepth = 40

// place is where a value was written.
type place struct {
	source       string
	line, column int
}

// decoder turns a YAML document into a Config. It goes on after a problem, so
// that one run tells all.
type decoder struct {
	source   string
	problems Error
	warnings []Warning
	places   map[string]place // of what was set, by path: "things[0].pin"
	anchors  map[string]*ast.AnchorNode
	nodes    int // followed so far
	// exhausted is set when nodes went over maxNodes, which is told once.
	exhausted bool
	partial   bool // things, flows and a broker may be missing
}

func newDecoder(source string) *decoder {
	return &decoder{source: source, places: map[string]place{}, anchors: map[string]*ast.AnchorNode{}}
}

func (d *decoder) failAt(line, column int, format string, args ...any) {
	d.problems.add(Problem{d.source, line, column, fmt.Sprintf(format, args...)})
}

func (d *decoder) fail(n ast.Node, format string, args ...any) {
	line, column := position(n)
	d.failAt(line, column, format, args...)
}

// position is that of a node's first character.
func position(n ast.Node) (line, column int) {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return position(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(m.Key)
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

func (d *decoder) mark(path string, n ast.Node) {
	line, column := position(n)
	d.places[path] = place{d.source, line, column}
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    ast.Node
	value ast.Node
}

// findAnchors notes all anchors, to be found by the aliases that follow them.
func (d *decoder) findAnchors(n ast.Node) {
	ast.Walk(visitor(func(n ast.Node) {
		a, ok := n.(*ast.AnchorNode)
		if !ok || a.Name == nil {
			return
		}
		name := a.Name.GetToken().Value
		if d.anchors[name] != nil {
			d.fail(a, "anchor %s is given twice", quote("&"+name))
		}
		d.anchors[name] = a
	}), n)
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor { v(n); return v }

// follow replaces anchors and aliases by what they stand for. It returns nil
// after a problem.
func (d *decoder) follow(n ast.Node) ast.Node {
	if d.nodes++; d.nodes > maxNodes {
		d.tooMany(n)
		return nil
	}
	for range maxDepth {
		switch m := n.(type) {
		case *ast.AnchorNode:
			n = m.Value
		case *ast.AliasNode:
			name := m.Value.GetToken().Value
			a := d.anchors[name]
			if a == nil || a.GetToken().Position.Offset > m.GetToken().Position.Offset {
				d.fail(m, "alias %s has no anchor %s before it", quote("*"+name), quote("&"+name))
				return nil
			}
			n = a.Value
		case *ast.TagNode:
			d.fail(m, "YAML tags (%s) are not supported; remove it", quoteless(m.GetToken().Value))
			return nil
		case nil:
			return nil
		default:
			return n
		}
	}
	d.fail(n, "this is nested too deeply")
	return nil
}

func (d *decoder) tooMany(n ast.Node) {
	if !d.exhausted {
		d.exhausted = true
		d.fail(n, "the file has too many values, counting those that aliases repeat")
	}
}

// entries returns a mapping's keys in the order of the file, those merged with
// "<<" last. what names the mapping in messages.
func (d *decoder) entries(n ast.Node, what string, depth int) (list []entry, ok bool) {
	if n = d.follow(n); n == nil {
		return nil, false
	}
	if depth > maxDepth {
		d.fail(n, "this is nested too deeply")
		return nil, false
	}
	if n.Type() == ast.NullType {
		return nil, true
	}
	m, isMap := n.(ast.MapNode)
	if !isMap {
		d.fail(n, "%s: %s stands where \"key: value\" lines belong", what, describe(n))
		return nil, false
	}
	seen := map[string]ast.Node{}
	var merged []entry
	for it := m.MapRange(); it.Next(); {
		if d.nodes++; d.nodes > maxNodes {
			d.tooMany(n)
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
			d.fail(at, "key %q is given twice; the first is at %d:%d", key, line, column)
			continue
		}
		seen[key] = at
		list = append(list, entry{key, at, it.Value()})
	}
	for _, e := range merged {
		if seen[e.key] == nil {
			seen[e.key] = e.at
			list = append(list, e)
		}
	}
	return list, true
}

// merged returns what a "<<" key brings: one mapping, or a list of them.
func (d *decoder) merged(n ast.Node, what string, depth int) (list []entry) {
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
func (d *decoder) key(n ast.Node) (string, ast.Node) {
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	s, ok := n.(ast.ScalarNode)
	if !ok || s.GetToken() == nil {
		d.fail(n, "a key must be a single word")
		return "", nil
	}
	return s.GetToken().Value, n
}

// describe says what a node is, for one who knows no YAML terms.
func describe(n ast.Node) string {
	switch n.Type() {
	case ast.SequenceType:
		return "a list"
	case ast.MappingType, ast.MappingValueType:
		return "a mapping (key: value)"
	case ast.NullType:
		return "nothing"
	}
	if s, ok := n.(ast.ScalarNode); ok && s.GetToken() != nil {
		return "a single value"
	}
	return "something else"
}

// fields decodes entries into fields. home says where else a key that is not
// among them belongs, or "".
func (d *decoder) fields(list []entry, fields []field, path, what string, home func(key string) string) {
	for _, e := range list {
		if d.problems.full() {
			return
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key })
		if i < 0 {
			if where := home(e.key); where != "" {
				d.fail(e.at, "%s: key %q %s", what, e.key, where)
			} else {
				d.fail(e.at, "%s: unknown key %s%s", what, quote(e.key), flow.Suggest(e.key, keysOf(fields)))
			}
			continue
		}
		d.field(e, fields[i], join(path, e.key))
	}
}

func nowhere(string) string { return "" }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// field decodes one value into one field.
func (d *decoder) field(e entry, f field, path string) {
	d.mark(path, e.at)
	if f.scalar() {
		d.scalar(e, f, path)
		return
	}
	switch f.value.Kind() {
	case reflect.Struct:
		if list, ok := d.entries(e.value, e.key, 0); ok {
			d.fields(list, fieldsOf(f.value.Addr().Interface()), path, e.key, nowhere)
		}
	case reflect.Slice:
		f.value.Set(reflect.ValueOf(d.texts(e, path)))
	case reflect.Map:
		list, _ := d.entries(e.value, e.key, 0)
		m := maps.Clone(f.value.Interface().(map[string]string))
		if m == nil {
			m = map[string]string{}
		}
		for _, one := range list {
			var text string
			d.field(one, field{key: one.key, value: reflect.ValueOf(&text).Elem()}, join(path, one.key))
			m[one.key] = text
		}
		f.value.Set(reflect.ValueOf(m))
	}
}

// texts decodes a list of texts.
func (d *decoder) texts(e entry, path string) []string {
	var list []string
	for i, v := range d.items(e) {
		var text string
		one := entry{e.key, v, v}
		d.field(one, field{key: e.key, value: reflect.ValueOf(&text).Elem()}, fmt.Sprintf("%s[%d]", path, i))
		list = append(list, text)
	}
	return list
}

// items returns the items of a list.
func (d *decoder) items(e entry) []ast.Node {
	n := d.follow(e.value)
	switch s := n.(type) {
	case nil, *ast.NullNode:
	case *ast.SequenceNode:
		return s.Values
	default:
		d.fail(n, "%s: %s stands where a list belongs; begin each item with \"- \"", e.key, describe(n))
	}
	return nil
}

func (d *decoder) scalar(e entry, f field, path string) {
	n := d.follow(e.value)
	if n == nil {
		return
	}
	d.mark(path, n)
	var text string
	switch s := n.(type) {
	case *ast.NullNode:
		line, column := position(e.at)
		d.failAt(line, column, "%s has no value; give it one or remove the line", e.key)
		return
	case *ast.StringNode:
		text = s.Value
		switch f.value.Kind() {
		case reflect.Bool, reflect.Int, reflect.Float64:
			if f.parse(text) == nil {
				if _, special := f.value.Addr().Interface().(interface{ UnmarshalText([]byte) error }); !special {
					d.fail(n, "%s: write %s without quotes", e.key, text)
					return
				}
			}
		}
	case *ast.LiteralNode:
		text = s.Value.Value
	case *ast.BoolNode:
		text = s.GetToken().Value
		if f.secret() || f.value.Kind() == reflect.String && f.allowed() == nil {
			d.fail(n, "%s: put %s in quotes if it is meant as a text", e.key, text)
			return
		}
	case *ast.SequenceNode, *ast.MappingNode, *ast.MappingValueNode:
		d.fail(n, "%s: %s stands where a single value belongs", e.key, describe(n))
		return
	default: // numbers, as they were written
		text = n.GetToken().Value
	}
	if err := f.set(text); err != nil {
		d.fail(n, "%s: %v", e.key, err)
	}
}
