package flowyaml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unique"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"pithings/conf/suggest"
	"pithings/conf/yamlfile"
	"pithings/flow"
)

// maxTokens is how many words and signs a file may have.
const maxTokens = 40_000

// reader turns YAML into what this package wants to know of it, and collects what
// is wrong.
type reader struct {
	file     string
	problems flow.Problems
}

func (r *reader) at(line, column int) flow.Position {
	return flow.Position{File: r.file, Line: int32(line), Column: int32(column)}
}

func (r *reader) pos(n ast.Node) flow.Position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return r.pos(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return r.pos(m.Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return r.at(t.Position.Line, t.Position.Column)
	}
	return flow.Position{File: r.file}
}

func (r *reader) fail(n ast.Node, format string, args ...any) {
	r.problems.Add(r.pos(n), format, args...)
}

// document returns the one document in data, or nil after a problem.
func (r *reader) document(data []byte) ast.Node {
	docs, p := yamlfile.Read(data, yamlfile.Options{Tokens: maxTokens, TooMany: "make several deployments of it"})
	switch {
	case p != nil:
		r.problems.Add(r.at(p.Line, p.Column), "%s", p.Message)
	case len(docs) == 0:
		r.problems.Add(r.at(1, 0), "the file is empty; it needs a name, a trigger and steps")
	case len(docs) > 1:
		r.fail(docs[1], "a second document begins here; a file is one deployment")
	default:
		return docs[0]
	}
	return nil
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    ast.Node
	value ast.Node
}

func (e entry) null() bool { return e.value == nil || e.value.Type() == ast.NullType }

// mapping returns a mapping's entries in the order of the file; known are the
// keys that it may have, nil for any.
func (r *reader) mapping(n ast.Node, what string, known []string) []entry {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		r.fail(n, "%s: a %s stands where \"key: value\" belongs", what, kindOf(n))
		return nil
	}
	var list []entry
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key, ok := scalarText(it.Key())
		switch {
		case !ok:
			r.fail(it.Key(), "%s: a key that is no text", what)
			continue
		case seen[key]:
			r.fail(it.Key(), "%s: the key %q is given twice", what, key)
			continue
		case known != nil && !contains(known, key):
			r.fail(it.Key(), "%s: unknown key %q%s", what, key, suggest.From(key, known))
			continue
		}
		seen[key] = true
		list = append(list, entry{key, it.Key(), it.Value()})
	}
	return list
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "mapping"
	case *ast.SequenceNode:
		return "list"
	}
	return "value"
}

// items returns the items of a list; a single value is a list of one.
func (r *reader) items(n ast.Node) []ast.Node {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	if s, ok := n.(*ast.SequenceNode); ok {
		return s.Values
	}
	return []ast.Node{n}
}

// scalarText is a scalar as it is written, its quotes apart.
func scalarText(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.MappingKeyNode:
		return scalarText(s.Value)
	case *ast.StringNode:
		// The file is not kept in memory with it, and many flows say "camera".
		return unique.Make(s.Value).Value(), true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// text returns a value that is text.
func (r *reader) text(e entry, what string) string {
	if e.null() {
		return ""
	}
	s, ok := scalarText(e.value)
	if !ok {
		r.fail(e.value, "%s, %s: a %s stands where text belongs", what, e.key, kindOf(e.value))
	}
	return s
}

// texts returns a list of texts; one text is a list of one.
func (r *reader) texts(e entry, what string) []string {
	var list []string
	for _, n := range r.items(e.value) {
		s, ok := scalarText(n)
		if !ok {
			r.fail(n, "%s, %s: a %s stands where text belongs", what, e.key, kindOf(n))
			continue
		}
		list = append(list, s)
	}
	return list
}

// literal returns a value as package flow has it.
func (r *reader) literal(n ast.Node, what string) any {
	switch s := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return s.Value
	case *ast.FloatNode:
		return s.Value
	case *ast.IntegerNode:
		switch v := s.Value.(type) {
		case int64:
			return v
		case uint64:
			if v <= 1<<63-1 {
				return int64(v)
			}
			return v
		}
	case *ast.SequenceNode:
		list := []any{}
		for _, item := range s.Values {
			list = append(list, r.inner(item, what))
		}
		return list
	case ast.MapNode:
		m := map[string]any{}
		for _, e := range r.mapping(n, what, nil) {
			m[e.key] = r.inner(e.value, what)
		}
		return m
	}
	if s, ok := n.(*ast.StringNode); ok {
		// The library takes 1e21 for text, unlike YAML 1.2 (10.3.2).
		if f, err := strconv.ParseFloat(s.Value, 64); err == nil && s.Token.Type == token.StringType && strings.ContainsAny(s.Value, "0123456789") &&
			!strings.ContainsAny(s.Value, "xXpP_") && !math.IsInf(f, 0) {
			return f
		}
		return s.Value
	}
	if s, ok := n.(*ast.LiteralNode); ok {
		return s.Value.Value
	}
	r.fail(n, "%s: JSON does not have this value; put text in quotes", what)
	return nil
}

// inner is a value in a list or object, which is not computed.
func (r *reader) inner(n ast.Node, what string) any {
	v := r.literal(n, what)
	if s, ok := v.(string); ok && strings.Contains(s, "${") {
		r.fail(n, "%s: inside a list or an object, ${…} is not computed; write the whole as one expression, such as ${[a, b]}", what)
	}
	return v
}

func (r *reader) failf(at flow.Position, err error, what string) {
	r.problems.Add(at, "%s", fmt.Sprintf("%s: %v", what, err))
}
