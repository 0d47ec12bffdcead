package conf

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"pithings/conf/suggest"
)

// Decoder reads the values of one file into structs. It continues after a problem, so
// that one run reports all of them: its Report has them, and where each value was given.
type Decoder struct {
	nodes
	vars   Variables
	over   *Places // see Over
	strict bool

	path, name string // see Call
}

// NewDecoder returns a decoder of the file source, whose values may refer to vars.
func NewDecoder(source string, vars Variables) *Decoder {
	return &Decoder{nodes: nodes{Report: NewReport(source), anchors: map[string]*ast.AnchorNode{}}, vars: vars}
}

// Document returns the one YAML document in data. After a problem it returns nil. empty
// says what to do about an empty file.
func (d *Decoder) Document(data []byte, empty string) Node { return d.document(data, empty) }

// Struct decodes a mapping into the struct that p points to, over the values that are in
// it. path is that of the mapping, and what names it in messages.
func (d *Decoder) Struct(n Node, p any, path, what string) {
	if list, ok := d.Entries(n, what); ok {
		d.Fields(list, Fields(p), path, what, nil)
	}
}

// Fields decodes the entries of a mapping into fields. elsewhere, if there is one, says
// where else a key that is not among them belongs, or "".
func (d *Decoder) Fields(list []Entry, fields []Field, path, what string, elsewhere func(key string) string) {
	for _, e := range list {
		if d.Problems.Full() {
			return
		}
		outer := d.at
		d.at = d.called(Join(path, e.Key))
		d.one(e, fields, path, what, elsewhere)
		d.at = outer
	}
}

// one decodes one of the entries.
func (d *Decoder) one(e Entry, fields []Field, path, what string, elsewhere func(key string) string) {
	if i := slices.IndexFunc(fields, func(f Field) bool { return f.Key == e.Key }); i >= 0 {
		d.Field(e, fields[i], Join(path, e.Key))
		return
	}
	where := ""
	if elsewhere != nil {
		where = elsewhere(e.Key)
	}
	if where != "" {
		d.Fail(e.At, "%s: key %q %s", what, e.Key, where)
	} else {
		d.Fail(e.At, "%s: unknown key %s%s", what, Quote(e.Key), suggest.From(e.Key, Keys(fields)))
	}
}

// Field decodes one value into one field.
func (d *Decoder) Field(e Entry, f Field, path string) {
	if !d.takes(e, f, path) {
		return
	}
	d.MarkNode(path, e.At)
	if f.Scalar() {
		d.scalar(e, f, path)
		return
	}
	switch f.Value.Kind() {
	case reflect.Struct:
		d.Struct(e.Value, f.Value.Addr().Interface(), path, e.Key)
	case reflect.Pointer:
		p := reflect.New(f.Value.Type().Elem())
		Fill(p.Interface())
		d.Struct(e.Value, p.Interface(), path, e.Key)
		f.Value.Set(p)
	case reflect.Slice:
		if f.Value.Type().Elem().Kind() == reflect.Struct {
			d.structs(e, f, path)
			return
		}
		f.Value.Set(reflect.ValueOf(d.texts(e, f.Tag, path)))
	case reflect.Map:
		list, _ := d.Entries(e.Value, e.Key)
		m := maps.Clone(f.Value.Interface().(map[string]string))
		if m == nil && len(list) > 0 { // an empty one is as good as none
			m = map[string]string{}
		}
		for _, one := range list {
			m[one.Key] = d.text(one, f.Tag, Join(path, one.Key))
		}
		f.Value.Set(reflect.ValueOf(m))
	}
}

// structs decodes a list of mappings.
func (d *Decoder) structs(e Entry, f Field, path string) {
	items := d.Items(e)
	if len(items) == 0 {
		return
	}
	list := reflect.MakeSlice(f.Value.Type(), len(items), len(items))
	for i, v := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.MarkNode(at, v)
		one := list.Index(i).Addr().Interface()
		Fill(one)
		d.Struct(v, one, at, e.Key)
	}
	f.Value.Set(list)
}

// texts decodes a list of texts.
func (d *Decoder) texts(e Entry, tag reflect.StructTag, path string) []string {
	var list []string
	for i, v := range d.Items(e) {
		list = append(list, d.text(Entry{e.Key, v, v}, tag, fmt.Sprintf("%s[%d]", path, i)))
	}
	return list
}

// text decodes one text of a list or a map with a tag.
func (d *Decoder) text(e Entry, tag reflect.StructTag, path string) (text string) {
	d.Field(e, Field{Key: e.Key, Value: reflect.ValueOf(&text).Elem(), Tag: tag, item: true}, path)
	return text
}

// scalar decodes a single value.
func (d *Decoder) scalar(e Entry, f Field, path string) {
	n := d.follow(e.Value)
	if n == nil {
		return
	}
	d.MarkNode(path, n)
	text, ok := d.written(e, f, n)
	if !ok {
		return
	}
	if err := f.expand(d.vars, text); err != nil {
		d.Fail(n, "%s: %v", e.Key, err)
	}
}

// written returns a single value as it was written. It reports false after a problem.
func (d *Decoder) written(e Entry, f Field, n Node) (text string, ok bool) {
	switch s := n.(type) {
	case *ast.NullNode:
		d.Fail(e.At, "%s has no value; give it one or remove the line", e.Key)
		return "", false
	case *ast.StringNode:
		if f.unquoted(s.Value) {
			d.Fail(n, "%s: write %s without quotes", e.Key, s.Value)
			return "", false
		}
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.BoolNode:
		text = s.GetToken().Value
		if f.Secret() || f.Value.Kind() == reflect.String && f.Allowed() == nil {
			d.Fail(n, "%s: put %s in quotes if it is meant as a text", e.Key, text)
			return "", false
		}
		return text, true
	case *ast.SequenceNode, *ast.MappingNode, *ast.MappingValueNode:
		d.Fail(n, "%s: %s stands where a single value belongs", e.Key, describe(n))
		return "", false
	}
	return n.GetToken().Value, true // numbers, as they were written
}

// SetFrom sets a field to a text that was given outside the file, by a variable or an
// option named source, over what the file says.
func (d *Decoder) SetFrom(source string, f Field, path, text string) {
	d.Mark(path, Place{Source: source})
	vars := d.vars
	vars.Shell = true
	if err := f.expand(vars, text); err != nil {
		d.Problems.Add(Problem{Source: source, Message: err.Error()})
	}
}
