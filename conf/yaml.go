package conf

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
)

// YAML returns the field's value as people write it in a file, on one line: without quotes
// unless it needs them.
func (f Field) YAML() string {
	if m, ok := f.Value.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil && plain.Match(text) {
			return string(text)
		}
	}
	if f.Value.Kind() == reflect.String {
		return Scalar(f.Value.String())
	}
	return string(literal(f.Value))
}

var (
	// plain is what YAML reads as it is written, if it is to be text.
	plain = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./-]*$`)
	// notText is what YAML reads as something else than text (YAML 1.1, too).
	notText = regexp.MustCompile(`(?i)^([-+.0-9].*|y|n|yes|no|on|off|true|false|null)$`)
)

// Scalar writes a text as YAML, with quotes if it needs them.
func Scalar(s string) string {
	if plain.MatchString(s) && !notText.MatchString(s) {
		return s
	}
	b := new(strings.Builder)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text can always be written
	return strings.TrimSpace(b.String())
}
