package yamlfile

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	plain, all := Options{Tokens: 100, TooMany: "split it"}, Options{Tokens: 100, Anchors: true}
	for _, test := range []struct {
		text string
		o    Options
		docs int
		want Problem
	}{
		{"", plain, 0, Problem{}},
		{"# nothing\n---\n", plain, 0, Problem{}},
		{"\ufeffa: 1\n", plain, 1, Problem{}},
		{"a: 1\n---\nb: 2\n", plain, 2, Problem{}},
		{"a: &x 1\nb: *x\n", all, 1, Problem{}},
		{"a: &x 1\n", plain, 0, Problem{1, 4, `anchors, aliases and tags of YAML ("&") are not supported; write it out, or put the value in quotes`}},
		{"a: !x 1\n", plain, 0, Problem{1, 4, `anchors, aliases and tags of YAML ("!x") are not supported; write it out, or put the value in quotes`}},
		{"a: !" + strings.Repeat("x", 1000) + " 1\n", plain, 0, Problem{1, 4, `anchors, aliases and tags of YAML ("!` + strings.Repeat("x", 24) + `…") are not supported; write it out, or put the value in quotes`}},
		{"a:\n  <<: {b: 1}\n", plain, 0, Problem{2, 3, `anchors, aliases and tags of YAML ("<<") are not supported; write it out, or put the value in quotes`}},
		{"%YAML 1.2\n---\na: 1\n", all, 0, Problem{1, 1, "YAML directives (%…) are not supported; remove the line"}},
		{"a: %b\n", plain, 0, Problem{1, 4, "a value cannot begin with %; put it in quotes"}},
		{"@a: 1\n", plain, 0, Problem{1, 1, "not YAML: '@' is a reserved character; is a quote, a bracket or a blank after a colon missing?"}},
		{"a: |9\n x\n", plain, 0, Problem{2, 2, "not YAML: invalid number of indent is specified in the multi-line head…; is a quote, a bracket or a blank after a colon missing?"}},
		{"a: b: c\n", plain, 0, Problem{1, 4, `not YAML: a second ": " in one value; put the value in quotes`}},
		{"a:\n\tb: 1\n", plain, 0, Problem{2, 1, "this line is indented with a tab; YAML takes spaces only"}},
		{"a: 1\n\t\nb: 2\n", plain, 0, Problem{2, 1, "not YAML: this line has a tab where YAML takes spaces only"}},
		{"a: |\n  x\n\t\n", plain, 0, Problem{3, 1, "not YAML: this line has a tab where YAML takes spaces only"}},
		{"a: 1\n\t# b\n", plain, 0, Problem{2, 1, "not YAML: this line has a tab where YAML takes spaces only"}},
		{"a: 1\nb: \xff\n", plain, 0, Problem{2, 1, "this line is not valid UTF-8; save the file as UTF-8"}},
		{"a: \x00\n", plain, 0, Problem{1, 1, "this line has a NUL character; is this a text file?"}},
		{strings.Repeat(" ", 101) + "a: 1\n", plain, 0, Problem{1, 1, "this line is indented by more than 100 spaces"}},
		{strings.Repeat("[", 40), plain, 0, Problem{1, 33, "this is nested too deeply"}},
		{strings.Repeat("- ", 40), plain, 0, Problem{1, 33, "this is nested too deeply"}},
		{"a: " + strings.Repeat("&a ", 40) + "b", all, 0, Problem{1, 52, "this is nested too deeply"}},
		{strings.Repeat("a: 1\n", 40), plain, 0, Problem{34, 2, "the file has too many values; split it"}},
		{strings.Repeat("#", MaxFile+1), plain, 0, Problem{0, 0, "the file is larger than 1 MiB"}},
	} {
		docs, p := Read([]byte(test.text), test.o)
		if p == nil {
			p = new(Problem)
		}
		if len(docs) != test.docs || *p != test.want {
			t.Errorf("%.60q: %d documents, %+v\nwant %d, %+v", test.text, len(docs), *p, test.docs, test.want)
		}
	}
}

// A missing quote was reported as a missing brace, lines below: the text went on to the
// next quote of the file.
func TestMissingQuoteIsFoundWhereItIsMissing(t *testing.T) {
	const single, double = "not YAML: a text that begins with ' lacks its closing quote on this line", `not YAML: a text that begins with " lacks its closing quote on this line`
	for _, test := range []struct {
		text string
		want Problem
	}{
		{"mqtt: {endpoint: \"mqtts://h}\nthings:\n  - {name: \"x\", type: camera}\n", Problem{1, 18, double}},
		{"state: \"abc\nlog: {level: \"info\"}\n", Problem{1, 8, double}},
		{"a: 1\nstate: 'abc # don\nlog: {level: 'info'}\n", Problem{2, 8, single}},
		{"a:\n  - \"x\n  - y\n  - \"z\"\n", Problem{2, 5, double}},
		{"a: \"over\n  lines\"\nb: 'x\nc: 1\nd: 'y'\n", Problem{3, 4, single}},
		{"a: \"over\n  lines\"\nb: [1\n", Problem{3, 4, "not YAML: a list that begins with [ lacks its ]"}},
		{"a: [\"over\n  lines\", 1\nb: 2\n", Problem{3, 1, "not YAML: a list that begins with [ lacks a comma or its ]"}},
	} {
		if _, p := Read([]byte(test.text), Options{Tokens: 100}); p == nil || *p != test.want {
			t.Errorf("%q: %+v, want %+v", test.text, p, test.want)
		}
	}
	if docs, p := Read([]byte("a: \"over\n  lines\"\nb: 'and\n\n  over'\n"), Options{Tokens: 100}); len(docs) != 1 {
		t.Errorf("texts of several lines: %v", p)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a: [1, {b: c}]\n", "? a\n: - b\n", "a: &x |\n  y\n---\n<<: *x\n", "'a\n", "\"\\u"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, anchors := range []bool{false, true} {
			docs, p := Read(data, Options{Tokens: 1000, Anchors: anchors})
			if p != nil && (docs != nil || strings.Contains(p.Message, "\n") || len(p.Message) > 400) {
				t.Fatalf("%d documents and %q", len(docs), p.Message)
			}
		}
	})
}
