package sysfs

import "strings"

// LongestName bounds the names that labels make.
const LongestName = 32

// Name makes a level of a topic, which is also a key of JSON, of a label: small
// letters, digits and single low lines.
func Name(label string) string {
	name := strings.Join(strings.FieldsFunc(strings.ToLower(label), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
	return strings.TrimRight(name[:min(len(name), LongestName)], "_")
}
