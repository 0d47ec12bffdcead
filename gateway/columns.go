package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode"
)

// JSONColumn is the column that holds what an object of JSON says beyond the settings, as one
// text: a configuration may have 20,000 words, and these objects have 20 keys each.
const JSONColumn = "json"

// Columns returns what a file of Device Supervisor says beyond the settings by its names. A
// value is JSON if it can be read as such, and else a text.
func Columns(kept map[string]string) map[string]string {
	packed, ok := kept[JSONColumn]
	if !ok {
		return kept
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(packed), &object) != nil {
		return kept // it is a column of that name
	}
	all := maps.Clone(kept)
	delete(all, JSONColumn)
	for name, raw := range object {
		all[name] = Column(raw)
	}
	return all
}

// Column is the column for a value of JSON. A text stands for itself, unless that would be
// read as JSON.
func Column(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" && text != "" && !IsJSON(text) && !strings.ContainsFunc(text, Control) {
		return text
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return ""
	}
	return string(Escaped(compact.Bytes()))
}

// Control reports whether a configuration cannot have a character.
func Control(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// Escaped writes the control characters of JSON that JSON allows and a configuration does not
// as JSON can, too.
func Escaped(raw json.RawMessage) json.RawMessage {
	if !bytes.ContainsFunc(raw, Control) {
		return raw
	}
	var out bytes.Buffer
	for _, r := range string(raw) {
		if Control(r) && r >= 0x7F {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// IsJSON reports whether a column is read as JSON.
func IsJSON(column string) bool {
	return column == strings.TrimSpace(column) && json.Valid([]byte(column))
}

// Text is a column as a text: a string of JSON without its quotes, and all else as it is.
func Text(column string) string {
	var text string
	if strings.HasPrefix(column, `"`) && json.Unmarshal([]byte(column), &text) == nil {
		return text
	}
	return column
}
