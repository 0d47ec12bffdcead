package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"pithings/flow/flowyaml/yamlfile"
)

// maxTokens is how many words and signs a configuration may have; 100 things with every
// key have about 9000.
const maxTokens = 20_000

// parseYAML returns the one document in data, or nil after a problem.
func (d *decoder) parseYAML(data []byte) ast.Node {
	docs, p := yamlfile.Read(data, yamlfile.Options{Tokens: maxTokens, TooMany: "this is the first that is too much", Anchors: true})
	switch {
	case p != nil:
		d.failAt(p.Line, p.Column, "%s", p.Message)
	case len(docs) == 0:
		d.failAt(0, 0, "the file is empty; pithings config example shows one to start from")
	case len(docs) > 1:
		d.fail(docs[1], "a second YAML document begins here; a configuration is one document")
	default:
		return docs[0]
	}
	return nil
}

// quoteless bounds a text of the file's and strips control characters.
func quoteless(s string) string {
	q := quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
