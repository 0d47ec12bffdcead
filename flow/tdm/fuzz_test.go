package tdm

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	for _, s := range []string{lamp, builtinText, `{"language":"GRAPHQL","text":"{query A {b}}"}`,
		`language=GRAPHQL,text="{ query A @x(id: \"urn\") {b} }"`, `query A($b: [Int!] = [1, -2.5e3]) @c(d: {e: null}) {f: G!}`,
		`{ query A @w(id: \"urn:x\") {step(name: \"a", b: \"${c}\")} }`, "query A {b(c: \"\"\"\n  d\n   e\"\"\")}", `query A {b(c: 'd\u{1f600}')}`} {
		f.Add(s)
	}
}

// FuzzTree: whatever is read can be written and is read back as the same.
func FuzzTree(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 || !utf8.ValidString(text) {
			return
		}
		nodes, err := parseText(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, n := range nodes {
			b.WriteString(write(n))
		}
		again, err := parseText(b.String())
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		if got, want := sketch(again), sketch(nodes); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// FuzzRead: no document makes the reader panic.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		d, err := Read(File{"x", []byte(text)})
		if (d == nil) == (err == nil) {
			t.Errorf("documents %v and error %v", d, err)
		}
	})
}
