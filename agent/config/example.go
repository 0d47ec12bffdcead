package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pithings/conf"
	"pithings/things"
)

// example has all but the list of things, which takes the place of thingsMark.
//
//go:embed example.yaml
var example []byte

const thingsMark = "  {things}\n"

// Example returns a commented configuration that has every key with its default, and that
// can be loaded as it is. Its things are those of the simulation; one of each other kind
// stands there as a comment, because it would use a part, and an output would drive a line.
func Example() []byte {
	return bytes.Replace(example, []byte(thingsMark), exampleThings(), 1)
}

// exampleThings writes one thing of each kind, with all its keys.
func exampleThings() []byte {
	var out strings.Builder
	simulated := simulatedKinds()
	for i, k := range things.Kinds() {
		e := exampleThing{first: i == 0}
		e.thing(k)
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(&out, "  # %s: %s.\n", k.Name, k.Doc)
		before := "  "
		if !slices.Contains(simulated, k) {
			before = "  # "
		}
		for line := range strings.Lines(e.String()) {
			out.WriteString(before + line)
		}
	}
	return []byte(out.String())
}

// exampleThing writes one thing as an item of a list.
type exampleThing struct {
	strings.Builder
	first bool // explains the keys that all things have
}

func (e *exampleThing) thing(k *things.Kind) {
	t := newThing(k.Name)
	t.Name = k.Example
	simulated := k.New()
	simulated.Simulate()
	for i, f := range conf.Fields(simulated) {
		if f.Required() { // it has no default
			conf.Fields(t.Settings)[i].Value.Set(f.Value)
		}
	}
	common := conf.Fields(&t)
	for i, f := range common[:len(common)-len(conf.Fields(t.Settings))] {
		switch before := "  "; f.Key {
		case "topics":
			e.topics(f, k)
		case "mqtt":
			if e.first {
				e.WriteString("  # A connection of its own, with its own certificate; what it does not give\n" +
					"  # is that of the shared one. Its client_id is the thing's name by default.\n" +
					"  # mqtt: {cert: TG_MS.pem, key: TG_MS.key}\n")
			}
		case "type":
			e.line(commentsAt, before+f.Key, f.YAML(), e.common(f, strings.Join(things.KindNames(), ", ")))
		default:
			if i == 0 {
				before = "- "
			}
			e.line(commentsAt, before+f.Key, f.YAML(), e.common(f, f.Doc()))
		}
	}
	e.fields(conf.Fields(t.Settings), "  ")
}

// common is the comment on a key that all things have.
func (e *exampleThing) common(f conf.Field, doc string) string {
	if !e.first {
		doc = ""
	} else if f.Required() {
		doc = "required: " + doc
	}
	return marked(f, doc)
}

func (e *exampleThing) topics(f conf.Field, k *things.Kind) {
	e.line(commentsAt, "  "+f.Key, "", e.common(f, f.Doc()))
	for _, t := range k.Topics {
		comment := "published"
		switch {
		case t.In:
			comment = "for commands"
		case t.Retain:
			comment = "published, retained"
		}
		e.line(topicsAt, "    "+t.Role, strconv.Quote(t.Template), comment)
	}
}

// fields writes the keys of a section and of those in it. Of a list of sections it writes the
// first, and indent ends in "- " then.
func (e *exampleThing) fields(fields []conf.Field, indent string) {
	for i, f := range fields {
		if i == 1 {
			indent = strings.ReplaceAll(indent, "-", " ")
		}
		if section := f.Section(); section != nil {
			e.line(commentsAt, indent+f.Key, "", f.Doc())
			e.fields(section, indent+"  ")
			continue
		}
		doc := f.Doc() + choices(f)
		if f.Required() {
			doc = "required: " + doc
		}
		if items := f.Items(); items != nil {
			e.line(commentsAt, indent+f.Key, "", marked(f, doc))
			e.fields(items[0], indent+"  - ")
			continue
		}
		e.line(commentsAt, indent+f.Key, f.YAML(), marked(f, doc))
	}
}

// choices lists what a key may be, as far as its documentation does not.
func choices(f conf.Field) string {
	allowed := f.Allowed()
	if slices.ContainsFunc(allowed, func(v string) bool { return !strings.Contains(f.Doc(), v) }) {
		return " (" + strings.Join(allowed, ", ") + ")"
	}
	if low, high := f.Tag.Get("min"), f.Tag.Get("max"); low != "" {
		return " (" + low + " to " + high + ")"
	}
	return ""
}

// marked puts the mark of a local key before its documentation.
func marked(f conf.Field, doc string) string {
	switch f.Change() {
	case conf.Local:
		return strings.TrimSpace("[local] " + doc)
	case conf.WithSecret:
		return strings.TrimSpace("[with secret] " + doc)
	}
	return doc
}

// The columns of comments, and the longest line; all are moved by the list's indentation.
const (
	commentsAt = 24
	topicsAt   = 41
	lineMax    = 116
)

// line writes a key with its value, if it has one, and a comment in a column.
func (e *exampleThing) line(column int, key, value, comment string) {
	text := key + ":"
	if value != "" {
		text += " " + value
	}
	for _, word := range strings.Fields(comment) {
		switch n := utf8.RuneCountInString(text); {
		case !strings.Contains(text, "# "):
			text += strings.Repeat(" ", max(1, column-n)) + "# " + word
		case n+1+len(word) > lineMax:
			e.WriteString(text + "\n")
			text = strings.Repeat(" ", column) + "# " + word
		default:
			text += " " + word
		}
	}
	e.WriteString(text + "\n")
}
