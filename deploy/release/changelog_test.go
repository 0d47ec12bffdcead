package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const markdown = `# Changelog

## Unreleased

### Added

- **Inputs** (` + "`type: input`" + `): buttons, door contacts, float switches, with pull,
  ` + "`active_low`" + `, debounce.

### Fixed

- A crash.

## [1.2.3] - 2026-01-02

### Changed

- Old things.
`

func TestChangelogs(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	for version, want := range map[string]string{
		"1.3.0-rc.1": `pithings (1.3.0~rc.1) unstable; urgency=medium

  [ Added ]
  * Inputs (` + "`type: input`" + `): buttons, door contacts, float switches, with pull,
    ` + "`active_low`" + `, debounce.

  [ Fixed ]
  * A crash.

 -- ` + maintainer + `  Tue, 14 Nov 2023 22:13:20 +0000
`,
		"1.2.3": `pithings (1.2.3) unstable; urgency=medium

  [ Changed ]
  * Old things.

 -- ` + maintainer + `  Tue, 14 Nov 2023 22:13:20 +0000
`,
	} {
		r, err := parseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := changelog(markdown, r, at); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", version, err, got, want)
		}
	}
	r := release{"9.9.9", "9.9.9"}
	if _, err := changelog("# Changelog\n", r, at); err == nil || !strings.Contains(err.Error(), `neither a section "## 9.9.9"`) {
		t.Errorf("without a section: %v", err)
	}
}

// TestChangelogIsOneForDebian: dpkg-parsechangelog reads the project's own.
func TestChangelogIsOneForDebian(t *testing.T) {
	r := release{"9.9.9", "9.9.9"}
	text, err := changelog(string(read(t, root+"/CHANGELOG.md")), r, time.Unix(1700000000, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "changelog")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "dpkg-parsechangelog", "-l", file, "-S", "Version"); got != "9.9.9\n" {
		t.Errorf("dpkg-parsechangelog: %q", got)
	}
	for line := range strings.Lines(string(text)) {
		if len([]rune(line)) > 81 && !strings.HasPrefix(line, " -- ") && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("the line is too long: %s", line)
		}
	}
}
