package main

import (
	"os"
	"strings"
	"testing"
)

// TestLicencesFit: all that is linked into pithings may be, whatever package brings it.
func TestLicencesFit(t *testing.T) {
	l, err := readLicences(theLicences(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.check(); err != nil {
		t.Error(err)
	}
	for module, want := range map[string]string{
		"pithings":                            "Apache-2.0",
		"Go":                                  "BSD-3-Clause",
		"github.com/eclipse/paho.mqtt.golang": "BSD-3-Clause",
		"github.com/gorilla/websocket":        "BSD-2-Clause",
		"github.com/goccy/go-yaml":            "MIT",
	} {
		if got, err := l.of(module); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", module, got, err, want)
		}
	}
	for module := range chosen {
		if !strings.Contains(theLicences(t), "Of the two of paho.mqtt.golang") || l.versions[module] == "" {
			t.Errorf("%s: LICENSES.txt does not say which licence applies", module)
		}
	}
}

// TestOtherLicencesAreRefused names the module.
func TestOtherLicencesAreRefused(t *testing.T) {
	agpl, err := os.ReadFile("/usr/share/common-licenses/GPL-3")
	if err != nil {
		lacks(t, "there is no /usr/share/common-licenses/GPL-3, of Debian's package base-files")
	}
	line := strings.Repeat("=", 80)
	head := "pithings.\n\n  example.com/one v1.0.0\n"
	for name, c := range map[string]struct{ text, says string }{
		"GPL":       {head + "\n" + line + "\nexample.com/one (COPYING)\n\n" + string(agpl), "example.com/one: its licence GPL-3.0 is not one of"},
		"home-made": {head + "\n" + line + "\nexample.com/one (LICENSE)\n\nDo with it what you want, but never on Mondays.\n", "example.com/one: none of its files is a licence that is known"},
		"no file":   {head + "\n" + line + "\nexample.com/two (LICENSE)\n\nMIT\n", "example.com/one: LICENSES.txt has no file of it"},
		"no text":   {head + "\n" + line + "\nexample.com/one (LICENSE)", "no text"},
		"no module": {"", "names no modules"},
		"no use":    {head + "\n" + line + "\nexample.com/one\n\nMIT\n", "is not MODULE (FILE)"},
	} {
		l, err := readLicences(c.text)
		if err == nil {
			err = l.check()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q in it", name, err, c.says)
		}
	}
}

// TestCopyrightHasAllTexts: whatever a module's files say is in the package, in full or,
// for the Apache License, by the system's copy.
func TestCopyrightHasAllTexts(t *testing.T) {
	l, err := readLicences(theLicences(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.copyright()
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string {
		var words []string
		for w := range strings.FieldsSeq(s) {
			if w != "." {
				words = append(words, w)
			}
		}
		return strings.Join(words, " ")
	}
	all := squeeze(string(text))
	for module, files := range l.files {
		for _, f := range files {
			if f.id == "Apache-2.0" || f.id == "EPL-2.0" { // the one that is not chosen
				continue
			}
			if !strings.Contains(all, squeeze(f.text)) {
				t.Errorf("%s of %s is missing", f.name, module)
			}
		}
		if module != "pithings" && module != "Go" && !strings.Contains(string(text), "\nFiles: vendor/"+module+"/*\n") {
			t.Errorf("%s is missing", module)
		}
	}
	for _, want := range []string{"Copyright: 2018 CoreOS, Inc\n", "/usr/share/common-licenses/Apache-2.0", "License: Expat\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %q", want)
		}
	}
}
