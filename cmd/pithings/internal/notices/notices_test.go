package notices

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write notices.txt.gz anew")

// systems are those that the program is built for. Processors do not change what is
// linked.
var systems = []string{"linux", "darwin", "windows"}

// module is one that is linked.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// linked lists the modules of which a package is linked on any system, and the folders
// of those packages, by path.
func linked(t *testing.T) (modules map[string]module, folders map[string][]string) {
	t.Helper()
	modules, folders = map[string]module{}, map[string][]string{}
	for _, system := range systems {
		c := exec.Command("go", "list", "-deps", "-json=Dir,Module", "pithings/cmd/pithings")
		c.Env = append(os.Environ(), "GOOS="+system, "GOARCH=arm64", "CGO_ENABLED=0")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Dir    string
				Module *module
			}
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.Module == nil { // of the standard library
				continue
			}
			modules[p.Module.Path] = *p.Module
			if !slices.Contains(folders[p.Module.Path], p.Dir) {
				folders[p.Module.Path] = append(folders[p.Module.Path], p.Dir)
			}
		}
	}
	return modules, folders
}

var notice = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|authors|edl-v10|epl-v20)([-._].*)?$`)

// files lists the notices of a module: in its folder, and in those between it and the
// packages that are linked, which may come from elsewhere.
func files(t *testing.T, m module, folders []string) []string {
	t.Helper()
	dirs := map[string]bool{m.Dir: true}
	for _, dir := range folders {
		for ; dir != m.Dir && strings.HasPrefix(dir, m.Dir); dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	var list []string
	for dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && notice.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
				list = append(list, filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(list)
	return list
}

// text is what notices.txt.gz should hold.
func text(t *testing.T) string {
	t.Helper()
	modules, folders := linked(t)
	var order []string            // texts, as they are met
	uses := map[string][]string{} // of each text
	use := func(who, file string) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n"))
		if uses[s] == nil {
			order = append(order, s)
		}
		uses[s] = append(uses[s], who+" ("+filepath.Base(file)+")")
	}
	paths := make([]string, 0, len(modules))
	for p := range modules {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	var b strings.Builder
	b.WriteString("pithings is published under the Apache License 2.0. It contains the software\nlisted here, under the licences that follow. Of the two of paho.mqtt.golang, whose\nsource is at https://github.com/eclipse/paho.mqtt.golang, the Eclipse Distribution\nLicense applies.\n\n  the Go programming language and its standard library\n")
	for _, p := range paths {
		m := modules[p]
		if m.Main {
			for _, f := range files(t, m, nil) {
				use("pithings", f)
			}
			continue
		}
		fmt.Fprintf(&b, "  %s %s\n", m.Path, m.Version)
		list := files(t, m, folders[p])
		if len(list) == 0 {
			t.Errorf("%s has no licence file", m.Path)
		}
		for _, f := range list {
			use(m.Path, f)
		}
		// The Go project's modules have the licence of Go itself, which not every
		// distribution of Go installs.
		if m.Path == "golang.org/x/sys" {
			for _, f := range files(t, m, nil) {
				use("Go", f)
			}
		}
	}
	// The scripts of the page, which no module brings.
	vendored, err := filepath.Glob(filepath.FromSlash("../../../../dashboard/page/vendor/LICENSE.*"))
	if err != nil || len(vendored) == 0 {
		t.Fatalf("the licences of the page's scripts: %v", err)
	}
	for _, f := range vendored {
		name := strings.TrimPrefix(filepath.Ext(f), ".")
		fmt.Fprintf(&b, "  %s, a script of the page\n", name)
		use(name, f)
	}
	for _, s := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(uses[s], "\n"), s)
	}
	return b.String()
}

// Whoever has the program has the notices of all that is in it, in the versions that
// are in it.
func TestNoticesOfAllThatIsLinked(t *testing.T) {
	want := text(t)
	if *update {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(z, want)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("notices.txt.gz", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	var got strings.Builder
	if err := Write(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() == want {
		return
	}
	have, need := strings.Split(got.String(), "\n"), strings.Split(want, "\n")
	for i, line := range need {
		if i == len(have) || have[i] != line {
			t.Fatalf("line %d should be %q: what is linked has changed; write the file anew with: go test ./cmd/pithings/internal/notices -update", i+1, line)
		}
	}
	t.Fatalf("%d lines too many; write the file anew with: go test ./cmd/pithings/internal/notices -update", len(have)-len(need))
}

// The licences that ask for a notice are there, each with the words that it asks for.
func TestNoticesHoldTheLicences(t *testing.T) {
	var b strings.Builder
	if err := Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"Apache License", "Permission is hereby granted, free of charge", // MIT
		"Redistribution and use in source and binary forms", // BSD
		"Eclipse Public License - v 2.0", "Eclipse Distribution License - v 1.0",
		"Additional IP Rights Grant (Patents)", // of the Go project
		"github.com/eclipse/paho.mqtt.golang (NOTICE.md)", "uplot (LICENSE.uplot)", "preact (LICENSE.preact)", "htm (LICENSE.htm)", "github.com/inconshreveable/mousetrap v",
	} {
		if !strings.Contains(b.String(), words) {
			t.Errorf("%q is missing", words)
		}
	}
}
