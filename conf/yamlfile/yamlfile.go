// Package yamlfile reads the YAML of a file that anyone may have written, and reports
// in plain words what is wrong with it.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"pithings/quietlog"
)

// MaxFile is how large a file may be, in bytes.
const MaxFile = 1 << 20

// The YAML parser is recursive, and its time grows with the square of the depth and of
// the length of a mapping (minutes for 1 MiB of keys), so that both are bounded before
// it sees the file. Its lexer is linear.
const (
	maxIndent = 100 // columns
	maxFlow   = 32  // nested [ and {
	maxInline = 16  // "- - - …" and "&a !b …" on one line
)

// Problem is what is wrong, and where: line and column count from 1, and are 0 if it has
// no place.
type Problem struct {
	Line, Column int
	Message      string
}

// Options are what a file may hold.
type Options struct {
	Tokens  int    // words and signs, at most
	TooMany string // what to say of the first that is too much
	Anchors bool   // anchors, aliases, tags and merge keys are let through
}

// Read returns the documents in data that hold anything.
func Read(data []byte, o Options) ([]ast.Node, *Problem) {
	if len(data) > MaxFile {
		return nil, &Problem{Message: "the file is larger than 1 MiB"}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if p := checkLines(data); p != nil {
		return nil, p
	}
	tokens := lexer.Tokenize(string(data))
	if p := o.check(tokens); p != nil {
		return nil, p
	}
	file, err := parse(tokens)
	if err != nil {
		if p := openQuote(tokens); p != nil {
			return nil, p
		}
		return nil, syntax(err)
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	return docs, nil
}

// openQuote finds a text in quotes that has swallowed following lines up to the next
// quote in the file, which began another text: the rest of that stands behind it. The
// parser reports what comes of it, lines below. A text that is meant to span lines ends
// where a line, a key or an item does.
func openQuote(tokens token.Tokens) *Problem {
	for i, t := range tokens[:max(0, len(tokens)-1)] {
		sign := "\""
		switch t.Type {
		case token.SingleQuoteType:
			sign = "'"
		case token.DoubleQuoteType:
		default:
			continue
		}
		lines := strings.Count(strings.TrimSpace(t.Origin), "\n")
		if next := tokens[i+1]; lines > 0 && next.Position.Line == t.Position.Line+lines && next.CharacterType != token.CharacterTypeIndicator {
			return &Problem{t.Position.Line, t.Position.Column, "not YAML: a text that begins with " + sign + " lacks its closing quote on this line"}
		}
	}
	return nil
}

// parse turns a panic of the parser into an error: what it is fed may be anything.
func parse(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this cannot be read as YAML")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkLines refuses what the parser would misread or report poorly.
func checkLines(data []byte) *Problem {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := bytes.TrimLeft(line, " \t")
		indent := line[:len(line)-len(text)]
		empty := len(bytes.TrimSpace(text)) == 0 || text[0] == '#'
		switch tab := bytes.IndexByte(indent, '\t'); {
		case !utf8.Valid(line):
			return &Problem{n, 1, "this line is not valid UTF-8; save the file as UTF-8"}
		case bytes.IndexByte(line, 0) >= 0:
			return &Problem{n, 1, "this line has a NUL character; is this a text file?"}
		case !empty && tab >= 0:
			return &Problem{n, tab + 1, "this line is indented with a tab; YAML takes spaces only"}
		case !empty && len(indent) > maxIndent:
			return &Problem{n, 1, fmt.Sprintf("this line is indented by more than %d spaces", maxIndent)}
		}
	}
	return nil
}

// check refuses what is too much or too deep for the parser, and what is not supported.
func (o Options) check(tokens token.Tokens) *Problem {
	flow, inline, line := 0, 0, 0
	for i, t := range tokens {
		if t.Position.Line != line {
			inline, line = 0, t.Position.Line
		}
		at := func(message string) *Problem { return &Problem{t.Position.Line, t.Position.Column, message} }
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.CollectEntryType:
			inline = 0
		case token.SequenceEntryType, token.MappingKeyType:
			inline++
		case token.DirectiveType:
			if t.Position.Column > 1 {
				return at("a value cannot begin with %; put it in quotes")
			}
			return at("YAML directives (%…) are not supported; remove the line")
		case token.AnchorType, token.TagType, token.AliasType, token.MergeKeyType:
			if !o.Anchors {
				return at(fmt.Sprintf("anchors, aliases and tags of YAML (%q) are not supported; write it out, or put the value in quotes", quietlog.Clip(t.Value, 25)))
			}
			if t.Type == token.AnchorType || t.Type == token.TagType {
				inline++
			}
		}
		switch {
		case flow > maxFlow || inline > maxInline:
			return at("this is nested too deeply")
		case i >= o.Tokens:
			return at("the file has too many values; " + o.TooMany)
		}
	}
	return nil
}

// syntax is what the parser found, in one line.
func syntax(err error) *Problem {
	p := &Problem{Message: err.Error()}
	if found := (*yaml.SyntaxError)(nil); errors.As(err, &found) && found.GetToken() != nil {
		at := found.GetToken().Position
		p = &Problem{at.Line, at.Column, found.GetMessage()}
	}
	message, _, _ := strings.Cut(p.Message, "\n")
	p.Message = "not YAML: " + inOtherWords(message)
	return p
}

// inOtherWords says what the parser says.
func inOtherWords(message string) string {
	for _, known := range messages {
		if strings.Contains(message, known.part) {
			return known.say
		}
	}
	return quietlog.Clip(message, 60) + "; is a quote, a bracket or a blank after a colon missing?"
}

// messages says in other words what the parser says in its own.
var messages = []struct{ part, say string }{
	{"mapping value is not allowed in this context", `a second ": " in one value; put the value in quotes`},
	{"',' or ']' must be specified", `a list that begins with [ lacks a comma or its ]`},
	{"sequence end token ']' not found", `a list that begins with [ lacks its ]`},
	{"',' or '}' must be specified", `a mapping that begins with { lacks a comma or its }`},
	{"flow mapping end token '}'", `a mapping that begins with { lacks its }`},
	{"end character of single-quoted text", `a text that begins with ' lacks its closing quote`},
	{"end character of double-quoted text", `a text that begins with " lacks its closing quote`},
	{"value is not allowed in this context", `this line is indented differently from its neighbours`},
	{"found a tab character", `this line has a tab where YAML takes spaces only`},
	{"found character '\t'", `this line has a tab where YAML takes spaces only`},
	{"unexpected key name", `this key has no ": " after it`},
	{"non-map value is specified", `this line has no "key: "`},
}
