package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// licences are what LICENSES.txt says of the modules that are linked into the program:
// their versions, and the files with their licences and notices.
type licences struct {
	versions map[string]string    // of each module but pithings and Go
	files    map[string][]licence // of each module, pithings and Go among them
}

// licence is a file of a module: a licence if it has an id, otherwise a notice.
type licence struct {
	name string // of the file
	text string
	id   string // after https://spdx.org/licenses/
}

// fits has the licences under which modules may be linked into a program that is published
// under the Apache License 2.0.
var fits = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unlicense", "Zlib"}

// chosen has the licence that applies of those of a module that leaves the choice. The
// head of LICENSES.txt says so, too.
var chosen = map[string]string{"github.com/eclipse/paho.mqtt.golang": "BSD-3-Clause"}

// readLicences reads the text that package cmd/pithings/internal/notices makes: a list of
// modules, each behind two spaces, then blocks of one file each, behind lines of "=".
func readLicences(text string) (licences, error) {
	l := licences{versions: map[string]string{}, files: map[string][]licence{}}
	blocks := strings.Split(text, "\n"+strings.Repeat("=", 80)+"\n")
	for line := range strings.Lines(blocks[0]) {
		if f := strings.Fields(line); strings.HasPrefix(line, "  ") && len(f) == 2 {
			l.versions[f[0]] = f[1]
		}
	}
	for _, b := range blocks[1:] {
		uses, text, found := strings.Cut(b, "\n\n")
		if !found {
			return licences{}, fmt.Errorf("LICENSES.txt: no text after %q", uses)
		}
		text = strings.TrimSpace(text)
		id := identify(text)
		for use := range strings.Lines(uses) {
			module, name, found := strings.Cut(strings.TrimSpace(use), " (")
			if !found {
				return licences{}, fmt.Errorf("LICENSES.txt: %q is not MODULE (FILE)", use)
			}
			l.files[module] = append(l.files[module], licence{name: strings.TrimSuffix(name, ")"), text: text, id: id})
		}
	}
	if len(l.versions) == 0 || len(l.files) == 0 {
		return licences{}, fmt.Errorf("LICENSES.txt: names no modules; make it with: go test ./cmd/pithings/internal/notices -update")
	}
	return l, nil
}

// identify returns the id of the licence of which text consists, or "".
func identify(text string) string {
	found := licensecheck.Scan([]byte(text))
	if found.Percent < 75 {
		return ""
	}
	var ids []string
	for _, m := range found.Match {
		if !m.IsURL && !slices.Contains(ids, m.ID) {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " AND ")
}

// of returns the licence of a module, or an error if a module must not be linked under it.
func (l licences) of(module string) (string, error) {
	var ids []string
	for _, f := range l.files[module] {
		// The grant of patents of the Go project adds to its licence.
		if f.id != "" && f.id != "GooglePatentsFile" && !slices.Contains(ids, f.id) {
			ids = append(ids, f.id)
		}
	}
	if id := chosen[module]; slices.Contains(ids, id) {
		return id, nil
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("%s: none of its files is a licence that is known; look at them, and choose another module or have the licence identified in deploy/release/licences.go", module)
	}
	for _, id := range ids {
		if !slices.Contains(fits, id) {
			return "", fmt.Errorf("%s: its licence %s is not one of %s; choose another module", module, id, strings.Join(fits, ", "))
		}
	}
	return strings.Join(ids, " AND "), nil
}

// modules lists all of which there are files, sorted.
func (l licences) modules() []string { return slices.Sorted(maps.Keys(l.files)) }

// check looks at the licence of every module.
func (l licences) check() error {
	var all []error
	for module := range l.versions {
		if len(l.files[module]) == 0 {
			all = append(all, fmt.Errorf("%s: LICENSES.txt has no file of it", module))
		}
	}
	for _, module := range l.modules() {
		if _, err := l.of(module); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
