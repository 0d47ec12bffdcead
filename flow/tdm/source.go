package tdm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// File is a document as it was given.
type File struct {
	Name string // for messages
	Text []byte
}

// Limits of what is read.
const (
	MaxFile  = 1 << 20 // bytes of one file
	MaxFiles = 256     // files of one set
	maxDepth = 64      // blocks, lists and objects within each other

	maxEntries     = 1000 // of one block, list or pair of parentheses
	maxDeployments = 100  // of one set
)

// source is GraphQL text with the way back to the file that it came from.
type source struct {
	name     string
	text     string
	original string // text before unescape; problems have its lines
	removed  []int  // offsets in text before which a byte was taken away, ascending
}

// jsonForm distinguishes a JSON object from GraphQL in braces, which may begin with a
// description.
var jsonForm = regexp.MustCompile(`^\{\s*"(?:[^"\\]|\\.)*"\s*:`)

// sources takes a file apart: GraphQL as it is; the service's JSON, which holds
// GraphQL in "text" beside "language"; or the argument of the command line tool,
// language=GRAPHQL,text="…".
func sources(f File) ([]source, error) {
	where := top(f.Name)
	if len(f.Text) > MaxFile {
		return nil, &problem{where, fmt.Sprintf("the file has %d bytes", len(f.Text)), fmt.Sprintf("split it: at most %d are read", MaxFile)}
	}
	if !utf8.Valid(f.Text) {
		return nil, &problem{where, "the file is not UTF-8", "save it as UTF-8"}
	}
	text := strings.TrimPrefix(string(f.Text), "\ufeff")
	start := strings.TrimSpace(text)
	if strings.HasPrefix(start, "[") || jsonForm.MatchString(start) {
		return fromJSON(f.Name, text)
	}
	if len(start) > 9 && strings.EqualFold(start[:9], "language=") {
		text = fromArgument(text)
	}
	return []source{{name: f.Name, text: text, original: text}}, nil
}

// fromJSON finds every {"language": …, "text": …} in what the service's
// operations take and return.
func fromJSON(name, text string) ([]source, error) {
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		at := top(name)
		if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
			at = newLexer(source{name: name, original: text}).pos(int(syntax.Offset))
		}
		return nil, &problem{at, "JSON: " + err.Error(), `write {"language": "GRAPHQL", "text": "…"}`}
	}
	var found []source
	var walk func(any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				if err := walk(e); err != nil {
					return err
				}
			}
		case map[string]any:
			if graphql, ok := v["text"].(string); ok {
				label := fmt.Sprintf("%s (text)", name)
				if len(found) > 0 {
					label = fmt.Sprintf("%s (text %d)", name, len(found)+1)
				}
				if language, _ := v["language"].(string); !strings.EqualFold(language, "GRAPHQL") {
					return &problem{top(label), fmt.Sprintf("language %q", language), `only "GRAPHQL" is known`}
				}
				found = append(found, source{name: label, text: graphql, original: graphql})
				return nil
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if err := walk(v[key]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(document); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &problem{top(name), "JSON without a document in it", `write {"language": "GRAPHQL", "text": "…"}`}
	}
	return found, nil
}

// fromArgument blanks language=GRAPHQL,text= and the quotes around what follows,
// so that places stay what they are.
func fromArgument(text string) string {
	lower := strings.ToLower(text)
	const key = "text="
	i := strings.Index(lower, key)
	if i < 0 {
		return text
	}
	b := []byte(text)
	for j := range i + len(key) {
		b[j] = ' '
	}
	rest := text[i+len(key):]
	body := strings.TrimSpace(rest)
	if len(body) >= 2 && body[0] == body[len(body)-1] && (body[0] == '"' || body[0] == '\'') {
		first := i + len(key) + strings.IndexByte(rest, body[0])
		b[first], b[first+len(body)-1] = ' ', ' '
	}
	return string(b)
}

// unescaped is the source for a document that was copied from inside a JSON
// string, as the service's guide prints them: \" for every quote.
func (s source) unescaped() source {
	var b strings.Builder
	out := source{name: s.name, original: s.text}
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		if c == '\\' && i+1 < len(s.text) {
			if plain := strings.IndexByte(`"\nrt`, s.text[i+1]); plain >= 0 {
				i++
				out.removed = append(out.removed, b.Len())
				c = "\"\\\n\r\t"[plain]
			}
		}
		b.WriteByte(c)
	}
	out.text = b.String()
	return out
}
