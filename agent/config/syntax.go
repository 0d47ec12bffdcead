package config

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. The YAML parser is recursive, and its time grows with the
// square of the depth and of the length of a mapping (minutes for 1 MiB of
// keys), so that both are bounded before it sees the file. Its lexer is linear.
const (
	maxFile   = 1 << 20 // bytes
	maxTokens = 20_000  // words and signs; 100 things with every key have about 9000
	maxIndent = 100     // columns
	maxFlow   = 32      // nested [ and {
	maxInline = 16      // "- - - …" and "&a !b …" on one line
)

// parseYAML returns the one document in data, or nil after a problem.
func (d *decoder) parseYAML(data []byte) ast.Node {
	if len(data) > maxFile {
		d.failAt(0, 0, "the file is larger than 1 MiB")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !d.checkLines(data) {
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if !d.checkDepth(tokens) {
		return nil
	}
	if len(tokens) > maxTokens {
		at := tokens[maxTokens].Position
		d.failAt(at.Line, at.Column, "the file has too many values; this is the first that is too much")
		return nil
	}
	file, err := parseTokens(tokens)
	if err != nil {
		d.syntaxError(err)
		return nil
	}
	var doc ast.Node
	for _, one := range file.Docs {
		switch one.Body.(type) {
		case nil:
		case *ast.DirectiveNode:
			d.fail(one.Body, "YAML directives (%%…) are not supported; remove the line")
			return nil
		default:
			if doc != nil {
				d.fail(one.Body, "a second YAML document begins here; a configuration is one document")
				return nil
			}
			doc = one.Body
		}
	}
	if doc == nil {
		d.failAt(0, 0, "the file is empty; pithings config example shows one to start from")
	}
	return doc
}

// parseTokens turns a panic of the parser into an error: what it is fed may be
// anything.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this cannot be read as YAML")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkLines refuses what the parser would misread or report poorly.
func (d *decoder) checkLines(data []byte) bool {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := bytes.TrimLeft(line, " \t")
		indent := line[:len(line)-len(text)]
		empty := len(bytes.TrimSpace(text)) == 0 || text[0] == '#'
		switch {
		case !utf8.Valid(line):
			d.failAt(n, 1, "this line is not valid UTF-8; save the file as UTF-8")
			return false
		case bytes.IndexByte(line, 0) >= 0:
			d.failAt(n, 1, "this line has a NUL character; is this a text file?")
			return false
		case !empty && bytes.IndexByte(indent, '\t') >= 0:
			d.failAt(n, bytes.IndexByte(indent, '\t')+1, "this line is indented with a tab; YAML takes spaces only")
			return false
		case !empty && len(indent) > maxIndent:
			d.failAt(n, 1, "this line is indented by more than 100 spaces")
			return false
		}
	}
	return true
}

func (d *decoder) checkDepth(tokens token.Tokens) bool {
	flow, inline, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			inline, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			inline++
		case token.CollectEntryType:
			inline = 0
		}
		if flow > maxFlow || inline > maxInline {
			d.failAt(t.Position.Line, t.Position.Column, "this is nested too deeply")
			return false
		}
	}
	return true
}

// syntaxError reports what the parser found, in one line.
func (d *decoder) syntaxError(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		d.failAt(0, 0, "not YAML: %s", quoteless(message))
		return
	}
	at := syntax.GetToken().Position
	message, _, _ := strings.Cut(syntax.GetMessage(), "\n")
	for _, known := range yamlMessages {
		if strings.Contains(message, known.part) {
			message = known.say
			break
		}
	}
	d.failAt(at.Line, at.Column, "not YAML: %s", quoteless(message))
}

// yamlMessages says in other words what the parser says in its own.
var yamlMessages = []struct{ part, say string }{
	{"mapping value is not allowed in this context", `a second ": " in one value; put the value in quotes`},
	{"',' or ']' must be specified", `a list that begins with [ lacks a comma or its ]`},
	{"sequence end token ']' not found", `a list that begins with [ lacks its ]`},
	{"',' or '}' must be specified", `a mapping that begins with { lacks a comma or its }`},
	{"flow mapping end token '}'", `a mapping that begins with { lacks its }`},
	{"end character of single-quoted text", `a text that begins with ' lacks its closing quote`},
	{"end character of double-quoted text", `a text that begins with " lacks its closing quote`},
	{"value is not allowed in this context", `this line is indented differently from its neighbours`},
	{"unexpected key name", `this key has no ": " after it`},
	{"non-map value is specified", `this line has no "key: "`},
}

// quoteless bounds a message of the library's and strips control characters.
func quoteless(s string) string {
	q := quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
