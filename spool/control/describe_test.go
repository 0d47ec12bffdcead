package control

import (
	"strings"
	"testing"
	"unicode"
)

// What an agent of another user says of itself plays no tricks on root's terminal.
func FuzzAgent(f *testing.F) {
	for _, text := range []string{`{"pid": 7, "state": "/var/lib/pithings", "version": "1.2"}`, `{"state": "/x\u001b[2J"}`, `{"state": 7}`, "", "[]", "null"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseAgent(text)
		if err == nil && strings.ContainsFunc(a.String()+a.Version+a.Web+a.Config, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", a.String())
		}
	})
}
