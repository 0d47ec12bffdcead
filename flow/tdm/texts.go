package tdm

import (
	"regexp"
	"strconv"
	"strings"

	"pithings/device"
)

// raised is how the guide sets an event: $cameraFailed.IsTrue=true.
var raised = regexp.MustCompile(`(?i)^(?:\$\{\s*)?\$?([A-Za-z_][A-Za-z0-9_]*)(?:\.isTrue)?\s*=\s*true\s*\}?$`)

// inForm is x IN ('a', 'b'), which the guide uses once, in a Retry, and its
// chapter on expressions does not have.
var inForm = regexp.MustCompile(`(?i)([$A-Za-z_][A-Za-z0-9_.]*)\s+IN\s*\(\s*('[^'\\]*'(?:\s*,\s*'[^'\\]*')*)\s*\)`)

// spellOutIn replaces x IN ('a', 'b') by (x == 'a' || x == 'b').
func spellOutIn(s string) string {
	return inForm.ReplaceAllStringFunc(s, func(in string) string {
		m := inForm.FindStringSubmatch(in)
		var parts []string
		for _, quoted := range texts.FindAllString(m[2], -1) {
			parts = append(parts, m[1]+" == "+quoted)
		}
		return "(" + strings.Join(parts, " || ") + ")"
	})
}

var texts = regexp.MustCompile(`'[^']*'`)

// convert reads text as a JSON value of a type.
func convert(s string, t device.ValueType) (any, bool) {
	trimmed := strings.TrimSpace(s)
	switch t {
	case device.IntegerType:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		return n, err == nil
	case device.NumberType:
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(trimmed, 64)
		return f, err == nil && f-f == 0
	case device.BooleanType:
		switch strings.ToLower(trimmed) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
		return s, false
	}
	return s, true
}
