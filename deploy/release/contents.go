package main

import (
	"os"
	"path/filepath"
	"strings"
)

const docFolder = "/usr/share/doc/pithings"

// placed are the files of the source that a package has as they are.
var placed = []struct{ pattern, folder string }{
	{"deploy/pithings*.service", "/usr/lib/systemd/system"},
	{"deploy/*.socket", "/usr/lib/systemd/system"},
	{"deploy/sysusers.d/*.conf", "/usr/lib/sysusers.d"},
	{"deploy/udev/*.rules", "/usr/lib/udev/rules.d"},
	{"deploy/completions/_pithings", "/usr/share/zsh/vendor-completions"},
	{"deploy/completions/pithings.fish", "/usr/share/fish/vendor_completions.d"},
	{"deploy/examples/*", docFolder + "/examples"},
	{"deploy/pithings.service.d/*.conf", docFolder + "/examples"},
	{"deploy/aws/*", docFolder + "/examples/aws"},
	{"deploy/mosquitto/*", docFolder + "/examples/mosquitto"},
	{"docs/*.md", docFolder},
	{"docs/recipes/*.md", docFolder + "/recipes"},
}

// fill adds to a package all but the program itself. The configuration is the
// administrator's: the package has its folder and an example.
func fill(t *tree, s source, r release, l licences) error {
	for _, p := range placed {
		if err := t.copyAll(s, p.pattern, p.folder); err != nil {
			return err
		}
	}
	t.copy("/usr/share/bash-completion/completions/pithings", 0o644, s.path("deploy/completions/pithings.bash"))
	t.copy("/usr/share/lintian/overrides/pithings", 0o644, s.path("deploy/debian/lintian-overrides"))
	t.folder("/etc/pithings")
	if err := addManual(t, s); err != nil {
		return err
	}
	text, err := l.copyright()
	if err != nil {
		return err
	}
	if err := t.add(docFolder+"/copyright", 0o644, text); err != nil {
		return err
	}
	markdown, err := os.ReadFile(s.path("CHANGELOG.md"))
	if err != nil {
		return err
	}
	if text, err = changelog(string(markdown), r, s.committed); err != nil {
		return err
	}
	return t.addCompressed(docFolder+"/changelog", text)
}

// addManual adds the pages of the manual, each to its section.
func addManual(t *tree, s source) error {
	pages, err := s.files("deploy/man/*.[0-9]")
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		section := strings.TrimPrefix(filepath.Ext(page), ".")
		if err := t.addCompressed("/usr/share/man/man"+section+"/"+filepath.Base(page), text); err != nil {
			return err
		}
	}
	return nil
}
