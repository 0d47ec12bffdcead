package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// release is the version that is released.
type release struct {
	version string // after https://semver.org/, as the program prints it
	debian  string // the same one as dpkg orders it: 1.2.3~rc.1 is older than 1.2.3
}

var semantic = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?(\+[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)?$`)

// parseVersion reads a version. A "-" becomes "~" in its Debian form, because Debian
// takes what follows the last "-" for the revision of the package, and sorts "~" before
// the end of the text.
func parseVersion(s string) (release, error) {
	if s == "" {
		return release{}, errors.New("no version is given; use: make release VERSION=1.2.3")
	}
	m := semantic.FindStringSubmatch(s)
	if m == nil {
		if semantic.MatchString(strings.TrimPrefix(s, "v")) {
			return release{}, fmt.Errorf("version %q: leave the v away: VERSION=%s", s, s[1:])
		}
		return release{}, fmt.Errorf("version %q: not MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, such as 1.2.3 or 1.2.3-rc.1", s)
	}
	debian := m[1] + "." + m[2] + "." + m[3]
	if m[4] != "" {
		debian += "~" + strings.ReplaceAll(m[4][1:], "-", "~")
	}
	return release{version: s, debian: debian + m[5]}, nil
}

// suite is the part of the apt source that a version belongs to: users of stable get no
// version that is only tried.
func (r release) suite() string { return suiteOf(r.debian) }

// suiteOf is the suite of a version in its Debian form.
func suiteOf(debian string) string {
	if strings.Contains(debian, "~") {
		return "testing"
	}
	return "stable"
}
