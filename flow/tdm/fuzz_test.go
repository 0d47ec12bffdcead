package tdm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pithings/device"
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

// FuzzImport: what can be imported and exported is imported as the same again.
func FuzzImport(f *testing.F) {
	for _, pattern := range []string{"testdata/flows/*.graphql", "testdata/security/*.graphql",
		"testdata/visitors/*.graphql", "testdata/letters/*.graphql", "testdata/parcels/*.graphql"} {
		var all string
		for _, file := range readFiles(f, pattern) {
			f.Add(string(file.Text))
			all += string(file.Text) + "\n"
		}
		f.Add(all)
	}
	f.Add(deployed(`T(description: "x") { condition(expr: "every 3 days") action(expr: "ThingsGraph.startFlow('log', -1)") }`))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		d, err := Read(File{"x", []byte(text)})
		if err != nil {
			return
		}
		im, err := d.Import(Options{})
		if err != nil {
			return
		}
		for _, first := range im.Deployments {
			files, err := Export(first, Models{})
			if err != nil {
				continue
			}
			again, err := Read(files...)
			if err != nil {
				t.Fatalf("%v in\n%s", err, exported(t, first))
			}
			second, err := again.Import(Options{})
			if err != nil {
				t.Fatalf("%v in\n%s", err, exported(t, first))
			}
			if len(second.Deployments) != 1 || !reflect.DeepEqual(placeless(second.Deployments[0]), placeless(first)) {
				t.Errorf("got\n%s\nwant\n%s", exported(t, second.Deployments[0]), exported(t, first))
				difference(t, "", reflect.ValueOf(second.Deployments[0]), reflect.ValueOf(first))
			}
		}
	})
}

// FuzzExportModels: devices and services that are exported beside a deployment are
// read as the same again.
func FuzzExportModels(f *testing.F) {
	for _, file := range readFiles(f, "testdata/flows/*.graphql") {
		f.Add(string(file.Text))
	}
	f.Add(referring)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		d, err := Read(File{"x", []byte(text)})
		if err != nil {
			return
		}
		im, err := d.Import(Options{})
		if err != nil || len(im.Deployments) == 0 {
			return
		}
		files, err := Export(im.Deployments[0], Models{im.Devices, im.Services})
		if err != nil {
			return
		}
		again, err := Read(files...)
		if err != nil {
			t.Fatalf("%v in\n%s", err, files)
		}
		second, err := again.Import(Options{})
		if err != nil {
			t.Fatalf("%v in\n%s", err, files)
		}
		byID := func(a, b device.Model) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(im.Devices, byID)
		slices.SortFunc(second.Devices, byID)
		if got, want := fmt.Sprintf("%+v", second.Devices), fmt.Sprintf("%+v", im.Devices); got != want {
			t.Errorf("devices\n%s\nwant\n%s", got, want)
		}
		if len(second.Services) != len(im.Services) {
			t.Errorf("%d services, not %d", len(second.Services), len(im.Services))
		}
	})
}
