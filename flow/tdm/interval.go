package tdm

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"pithings/flow"
)

var intervalForm = regexp.MustCompile(`(?i)^\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|msec|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)?\s*$`)

// interval reads "1 sec", "5 minutes", "250ms" or a number of seconds.
func interval(s string) (time.Duration, bool) {
	m := intervalForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	unit := time.Second
	switch u := strings.ToLower(m[2]); {
	case strings.HasPrefix(u, "ms"), strings.HasPrefix(u, "milli"):
		unit = time.Millisecond
	case strings.HasPrefix(u, "m"):
		unit = time.Minute
	case strings.HasPrefix(u, "h"):
		unit = time.Hour
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n <= 0 || n*float64(unit) > float64(24*time.Hour) {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// writeInterval writes what interval reads.
func writeInterval(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + " sec"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + " ms"
}

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
func convert(s string, t flow.ValueType) (any, bool) {
	trimmed := strings.TrimSpace(s)
	switch t {
	case flow.IntegerType:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		return n, err == nil
	case flow.NumberType:
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(trimmed, 64)
		return f, err == nil && f-f == 0
	case flow.BooleanType:
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
