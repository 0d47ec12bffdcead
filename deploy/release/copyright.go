package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// debianNames has the licences that Debian names otherwise than SPDX.
var debianNames = map[string]string{"MIT": "Expat", "BSD-2-Clause": "BSD-2-clause", "BSD-3-Clause": "BSD-3-clause", "Zlib": "zlib"}

// copyright is the file that Debian wants of each package, with all licences and notices
// that must accompany the program, in a form that programs read
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).
func (l licences) copyright() ([]byte, error) {
	var b strings.Builder
	b.WriteString(`Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: pithings
Comment: Files below vendor are those of the modules that are linked into the
 program, where "go mod vendor" puts them.

Files: *
Copyright: the pithings maintainers
License: Apache-2.0
`)
	for _, module := range l.modules() {
		if module == "pithings" {
			continue
		}
		id, err := l.of(module)
		if err != nil {
			return nil, err
		}
		folder := "vendor/" + module + "/*"
		if module == "Go" {
			folder = "vendor/std/*"
		}
		b.WriteString("\nFiles: " + folder + "\n")
		b.WriteString("Copyright: " + strings.Join(l.holders(module), "\n ") + "\n")
		b.WriteString("License: " + debianName(id) + "\n")
		var notices []string
		seen := map[string]bool{}
		for _, f := range l.files[module] {
			switch {
			case seen[f.text]:
			case f.id == "Apache-2.0": // refers to the system's copy, see below
			case f.id == id:
				b.WriteString(field(f.text))
			case f.id == "" || f.id == "GooglePatentsFile":
				notices = append(notices, f.name+":\n\n"+f.text)
			}
			seen[f.text] = true
		}
		if len(notices) > 0 {
			b.WriteString("Comment:\n" + field(strings.Join(notices, "\n\n")))
		}
	}
	b.WriteString(`
License: Apache-2.0
 Licensed under the Apache License, Version 2.0 (the "License"); you may not
 use these files except in compliance with the License. You may obtain a copy
 of the License at http://www.apache.org/licenses/LICENSE-2.0
 .
 Unless required by applicable law or agreed to in writing, software
 distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
 WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
 License for the specific language governing permissions and limitations
 under the License.
 .
 On Debian systems the License is in /usr/share/common-licenses/Apache-2.0.
`)
	return []byte(b.String()), nil
}

func debianName(id string) string {
	if name, ok := debianNames[id]; ok {
		return name
	}
	return id
}

// field is text as the lines of a field of a Debian control file.
func field(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n\f"); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}

var holder = regexp.MustCompile(`(?im)^[ \t]*copyright (?:\(c\) |© )?(<?[0-9]{4}.*)$`)

// holders are those whose copyright the files of a module state; otherwise its authors.
func (l licences) holders(module string) (lines []string) {
	for _, f := range l.files[module] {
		for _, m := range holder.FindAllStringSubmatch(f.text, -1) {
			if line := strings.TrimSpace(m[1]); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		lines = []string{fmt.Sprintf("the authors of %s", module)}
	}
	return lines
}
