package conf

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote shows what was written, on one line and not at length.
func Quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

// Clip shows what was written without quotes, bounded and without control characters.
func Clip(s string) string {
	q := Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// further begins a further line of a message: lines of a file that mend the problem.
const further = "\n  "

// printable writes characters that a terminal would obey as it would quote them:
// a message repeats keys and values of a file that anyone may have written. Further lines
// stay: their indentation shows that they are no problem of their own.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if unicode.IsPrint(r) || strings.HasPrefix(s[i:], further) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
