package jobs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"pithings/quietlog"
)

// The limits of status details.
const (
	MaxDetails     = 10   // pairs
	MaxDetailKey   = 128  // characters
	MaxDetailValue = 1024 // characters
)

var notInKeys = regexp.MustCompile(`[^a-zA-Z0-9:_-]+`)

// clean returns details as the service takes them: texts without control characters, cut to
// their length, and the first ten keys in order of the alphabet. Empty ones are left out.
func clean(details map[string]string) map[string]string {
	all := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(details)) {
		name, v := notInKeys.ReplaceAllString(k, "_"), strings.TrimSpace(printable(details[k]))
		if len(name) > MaxDetailKey {
			name = name[:MaxDetailKey]
		}
		if name == "" || v == "" || len(all) == MaxDetails {
			continue
		}
		if len(v) > MaxDetailValue {
			v = quietlog.Clip(v, MaxDetailValue-len("…"))
		}
		all[name] = v
	}
	return all
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.C, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func short(s string) string { return quietlog.Short(quietlog.OneLine(s)) }
