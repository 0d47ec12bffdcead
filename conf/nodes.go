package conf

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"pithings/conf/yamlfile"
)

const (
	// maxTokens is how many words and signs a file may have; a configuration of 100 things
	// with every key has about 9000.
	maxTokens = 20_000
	// maxNodes bounds the values decoded, aliases expanded.
	maxNodes = 50_000
	// maxDepth bounds the nesting of aliases in anchors.
	maxDepth = 40
)

// Node is a value in the file, or a key, with its place.
type Node = ast.Node

// nodes follows the anchors and aliases of one document.
type nodes struct {
	*Report
	anchors  map[string]*ast.AnchorNode
	followed int
	// exhausted is set when there were more than maxNodes, which is reported once.
	exhausted bool
	at        string // the key that is decoded
}

func (d *nodes) failAt(line, column int, format string, args ...any) {
	d.Problems.Add(Problem{Source: d.Source, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Key: d.at})
}

// Fail adds a problem at the place of a node.
func (d *nodes) Fail(n Node, format string, args ...any) {
	line, column := position(n)
	d.failAt(line, column, format, args...)
}

// MarkNode notes that the value at path was given at a node.
func (d *nodes) MarkNode(path string, n Node) {
	line, column := position(n)
	d.Mark(path, Place{d.Source, line, column})
}

// position is that of a node's first character.
func position(n Node) (line, column int) {
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

// document returns the one document in data, or nil after a problem.
func (d *nodes) document(data []byte, empty string) Node {
	docs, p := yamlfile.Read(data, yamlfile.Options{Tokens: maxTokens, TooMany: "this is the first that is too much", Anchors: true})
	switch {
	case p != nil:
		d.failAt(p.Line, p.Column, "%s", p.Message)
	case len(docs) == 0:
		d.failAt(0, 0, "the file is empty; %s", empty)
	case len(docs) > 1:
		d.Fail(docs[1], "a second YAML document begins here; a configuration is one document")
	default:
		d.findAnchors(docs[0])
		return docs[0]
	}
	return nil
}

// findAnchors notes all anchors, to be found by the aliases that follow them.
func (d *nodes) findAnchors(n Node) {
	ast.Walk(visitor(func(n Node) {
		a, ok := n.(*ast.AnchorNode)
		if !ok || a.Name == nil {
			return
		}
		name := a.Name.GetToken().Value
		if d.anchors[name] != nil {
			d.Fail(a, "anchor %s is given twice", Quote("&"+name))
		}
		d.anchors[name] = a
	}), n)
}

type visitor func(Node)

func (v visitor) Visit(n ast.Node) ast.Visitor { v(n); return v }

// follow replaces anchors and aliases by what they stand for. It returns nil
// after a problem.
func (d *nodes) follow(n Node) Node {
	if !d.count(n) {
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
				d.Fail(m, "alias %s has no anchor %s before it", Quote("*"+name), Quote("&"+name))
				return nil
			}
			n = a.Value
		case *ast.TagNode:
			d.Fail(m, "YAML tags (%s) are not supported; remove it", Clip(m.GetToken().Value))
			return nil
		case nil:
			return nil
		default:
			return n
		}
	}
	d.Fail(n, "this is nested too deeply")
	return nil
}

// count counts one more node. It reports false when there are too many.
func (d *nodes) count(n Node) bool {
	if d.followed++; d.followed <= maxNodes {
		return true
	}
	if !d.exhausted {
		d.exhausted = true
		d.Fail(n, "the file has too many values, counting those that aliases repeat")
	}
	return false
}

// describe says what a node is, without YAML's own terms.
func describe(n Node) string {
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
