package config

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

	"pithings/flow"
)

// field is one key of the file: a struct field and what its tags say.
type field struct {
	key   string
	value reflect.Value
	tag   reflect.StructTag
}

// fieldsOf lists the keys of the struct that p points to.
func fieldsOf(p any) []field {
	v := reflect.ValueOf(p).Elem()
	var fields []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key != "-" {
			fields = append(fields, field{key, v.Field(i), f.Tag})
		}
	}
	return fields
}

func keysOf(fields []field) []string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

// scalar tells whether the field holds one value, and not a list, a map or
// more keys.
func (f field) scalar() bool {
	if _, ok := f.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	switch f.value.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return true
	}
	return false
}

func (f field) secret() bool { return f.value.Type() == reflect.TypeFor[Secret]() }

// allowed lists the only values, or nothing when there is no such list.
func (f field) allowed() []string {
	if e := f.tag.Get("enum"); e != "" {
		return strings.Split(e, ",")
	}
	return nil
}

// set parses text into the field and checks it against the tags.
func (f field) set(text string) error {
	was := reflect.New(f.value.Type()).Elem()
	was.Set(f.value)
	if err := f.parse(text); err != nil {
		return err
	}
	if err := f.check(text); err != nil {
		f.value.Set(was)
		return err
	}
	return nil
}

func (f field) parse(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("this is not valid UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return fmt.Errorf("control character %U is not allowed", r)
		}
	}
	if u, ok := f.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch f.value.Kind() {
	case reflect.String:
		f.value.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false", quote(text))
		}
		f.value.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%s is not a whole number", quote(text))
		}
		f.value.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n-n != 0 { // infinities and NaN
			return fmt.Errorf("%s is not a number", quote(text))
		}
		f.value.SetFloat(n)
	}
	return nil
}

func (f field) check(text string) error {
	if allowed := f.allowed(); allowed != nil && !slices.Contains(allowed, text) {
		if near := flow.Nearest(text, allowed); near != "" && f.value.Kind() == reflect.String {
			return fmt.Errorf("%s is not one of %s; did you mean %q?", quote(text), strings.Join(allowed, ", "), near)
		}
		return fmt.Errorf("%s is not one of %s", quote(text), strings.Join(allowed, ", "))
	}
	low, high := f.tag.Get("min"), f.tag.Get("max")
	if low == "" {
		return nil
	}
	if f.compare(low) < 0 || f.compare(high) > 0 {
		return fmt.Errorf("%s is out of range; from %s to %s", quote(text), low, high)
	}
	return nil
}

// compare compares the field's value with that written as bound.
func (f field) compare(bound string) int {
	b := field{value: reflect.New(f.value.Type()).Elem()}
	if err := b.parse(bound); err != nil {
		panic("config: bad bound " + bound + " in a struct tag")
	}
	switch x := f.value.Interface().(type) {
	case Duration:
		return cmp.Compare(x.Duration, b.value.Interface().(Duration).Duration)
	case float64:
		return cmp.Compare(x, b.value.Float())
	}
	return cmp.Compare(f.value.Int(), b.value.Int())
}

// fill sets every field of the struct that p points to, and of the structs in
// it, to the default in its tag.
func fill(p any) {
	for _, f := range fieldsOf(p) {
		if def := f.tag.Get("default"); def != "" {
			if err := f.set(def); err != nil {
				panic("config: bad default of " + f.key + ": " + err.Error())
			}
		} else if f.value.Kind() == reflect.Struct && !f.scalar() {
			fill(f.value.Addr().Interface())
		}
	}
}

// newThing returns a thing with the defaults of its type, which must be known.
func newThing(kind string) Thing {
	t := Thing{Type: kind, Topics: map[string]string{}, Extra: map[string]string{}}
	switch kind {
	case MotionType:
		t.Motion = new(Motion)
	case EnvironmentType:
		t.Environment = new(Environment)
	case CameraType:
		t.Camera = new(Camera)
	case ScreenType:
		t.Screen = new(Screen)
	}
	fill(t.part())
	for role, template := range contracts[kind] {
		t.Topics[role] = template
	}
	return t
}
