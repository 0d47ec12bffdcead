package conf

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/conf/suggest"
)

// Field is one key of a section: a field of its struct and what its tags say.
type Field struct {
	Key   string
	Value reflect.Value
	Tag   reflect.StructTag
	item  bool // one text of a list or a map
}

// Extended is a struct beside whose keys stand those of another one, in the same mapping:
// a thing has the keys of its kind beside its name and type.
type Extended interface {
	// Extension returns a pointer to the other struct, or nil.
	Extension() any
}

// Fields lists the keys of the struct that p points to, and of its extension.
func Fields(p any) []Field {
	fields := fields(reflect.ValueOf(p).Elem())
	if x, ok := p.(Extended); ok && x.Extension() != nil {
		fields = append(fields, Fields(x.Extension())...)
	}
	return fields
}

// fields are those of the struct itself, and of structs embedded in it, unless it has the key
// itself.
func fields(v reflect.Value) (list []Field) {
	own := map[string]bool{}
	for i := range v.NumField() {
		if f := v.Type().Field(i); !f.Anonymous {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			own[key] = true
		}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && key == "" && f.Type.Kind() == reflect.Struct { // as encoding/json does, with unexported types, too
			list = append(list, slices.DeleteFunc(fields(v.Field(i)), func(f Field) bool { return own[f.Key] })...)
		} else if key != "-" && f.IsExported() {
			list = append(list, Field{Key: key, Value: v.Field(i), Tag: f.Tag})
		}
	}
	return list
}

// Keys lists the keys of fields.
func Keys(fields []Field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	return keys
}

// Doc is the meaning of the key, in one line.
func (f Field) Doc() string { return f.Tag.Get("jsonschema") }

// Scalar reports whether the field holds one value, and not a list, a map or
// more keys.
func (f Field) Scalar() bool {
	if f.text() != nil {
		return true
	}
	switch f.Value.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return true
	}
	return false
}

// text is the field as a type with a notation of its own, or nil.
func (f Field) text() encoding.TextUnmarshaler {
	u, _ := f.Value.Addr().Interface().(encoding.TextUnmarshaler)
	return u
}

// Secret reports whether the field's value must not be shown.
func (f Field) Secret() bool { return f.Value.Type() == reflect.TypeFor[Secret]() }

// Allowed lists the only values, or nothing when there is no such list.
func (f Field) Allowed() []string {
	if e := f.Tag.Get("enum"); e != "" {
		return strings.Split(e, ",")
	}
	return nil
}

// Required reports whether the key has to be given.
func (f Field) Required() bool { return f.Tag.Get("required") != "" }

// Set parses text into the field and checks it against the tags.
func (f Field) Set(text string) error {
	was := reflect.New(f.Value.Type()).Elem()
	was.Set(f.Value)
	if err := f.parse(text); err != nil {
		return err
	}
	if err := f.check(text); err != nil {
		f.Value.Set(was)
		return err
	}
	return nil
}

// parse parses text into the field, whatever the tags allow.
func (f Field) parse(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("this is not valid UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return fmt.Errorf("control character %U is not allowed", r)
		}
	}
	if u := f.text(); u != nil {
		return u.UnmarshalText([]byte(text))
	}
	switch f.Value.Kind() {
	case reflect.String:
		f.Value.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false", Quote(text))
		}
		f.Value.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%s is not a whole number", Quote(text))
		}
		f.Value.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n-n != 0 { // infinities and NaN
			return fmt.Errorf("%s is not a number", Quote(text))
		}
		f.Value.SetFloat(n)
	}
	return nil
}

func (f Field) check(text string) error {
	if allowed := f.Allowed(); allowed != nil && !slices.Contains(allowed, text) {
		if near := suggest.Nearest(text, allowed); near != "" && f.Value.Kind() == reflect.String {
			return fmt.Errorf("%s is not one of %s; did you mean %q?", Quote(text), strings.Join(allowed, ", "), near)
		}
		return fmt.Errorf("%s is not one of %s", Quote(text), strings.Join(allowed, ", "))
	}
	if text != "" || f.item { // a key that is empty is as one that is not given
		if err := form(f.Tag.Get("form"), text); err != nil {
			return err
		}
	}
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	if low == "" {
		return nil
	}
	if f.compare(low) < 0 || f.compare(high) > 0 {
		return fmt.Errorf("%s is out of range; from %s to %s", Quote(text), low, high)
	}
	return nil
}

// compare compares the field's value with that written as bound.
func (f Field) compare(bound string) int {
	b := Field{Value: reflect.New(f.Value.Type()).Elem()}
	if err := b.parse(bound); err != nil {
		panic("conf: bad bound " + bound + " in a struct tag")
	}
	switch x := f.Value.Interface().(type) {
	case Duration:
		return cmp.Compare(x.Duration, b.Value.Interface().(Duration).Duration)
	case float64:
		return cmp.Compare(x, b.Value.Float())
	}
	return cmp.Compare(f.Value.Int(), b.Value.Int())
}

// expand sets the field to a text in which variables are replaced.
func (f Field) expand(vars Variables, text string) error {
	text, err := vars.Expand(f, text)
	if err != nil {
		return err
	}
	return f.Set(text)
}

// unquoted reports whether the text is a number or a truth value, which is written
// without quotes.
func (f Field) unquoted(text string) bool {
	switch f.Value.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64:
		return f.text() == nil && f.parse(text) == nil
	}
	return false
}

// Fill sets every field of the struct that p points to, and of the structs in
// it, to the default in its tag. That of a list of texts has commas between them.
func Fill(p any) {
	for _, f := range Fields(p) {
		if def := f.Tag.Get("default"); def != "" && f.Value.Kind() == reflect.Slice {
			f.Value.Set(reflect.ValueOf(strings.Split(def, ",")))
		} else if def != "" {
			if err := f.Set(def); err != nil {
				panic("conf: bad default of " + f.Key + ": " + err.Error())
			}
		} else if f.Value.Kind() == reflect.Struct && !f.Scalar() {
			Fill(f.Value.Addr().Interface())
		}
	}
}

// Only returns the field with a list of its only values.
func (f Field) Only(values []string) Field {
	f.Tag += reflect.StructTag(fmt.Sprintf(" enum:%q", strings.Join(values, ",")))
	return f
}
