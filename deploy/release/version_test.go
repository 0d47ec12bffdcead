package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestVersions(t *testing.T) {
	for in, want := range map[string]release{
		"1.2.3":             {"1.2.3", "1.2.3"},
		"0.0.0":             {"0.0.0", "0.0.0"},
		"1.2.3-rc.1":        {"1.2.3-rc.1", "1.2.3~rc.1"},
		"1.2.3-rc-1":        {"1.2.3-rc-1", "1.2.3~rc~1"},
		"1.2.3+build.5":     {"1.2.3+build.5", "1.2.3+build.5"},
		"10.20.30-a.b+c.d1": {"10.20.30-a.b+c.d1", "10.20.30~a.b+c.d1"},
	} {
		if got, err := parseVersion(in); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	for in, says := range map[string]string{
		"":                "make release VERSION=1.2.3",
		"v1.2.3":          "VERSION=1.2.3",
		"1.2":             "not MAJOR.MINOR.PATCH",
		"1.2.3-":          "not MAJOR.MINOR.PATCH",
		"01.2.3":          "not MAJOR.MINOR.PATCH",
		"1.2.3 ":          "not MAJOR.MINOR.PATCH",
		"1.2.3_1":         "not MAJOR.MINOR.PATCH",
		"2:1.2.3":         "not MAJOR.MINOR.PATCH",
		"866bb7f-dirty":   "not MAJOR.MINOR.PATCH",
		"1.2.3\nFoo: bar": "not MAJOR.MINOR.PATCH",
	} {
		if _, err := parseVersion(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q in it", in, err, says)
		}
	}
}

// TestDebianOrder: dpkg orders the versions as semver does.
func TestDebianOrder(t *testing.T) {
	dpkg := need(t, "dpkg")
	order := []string{"0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-rc.1", "1.0.0-rc.2", "1.0.0", "1.0.1", "1.10.0"}
	for i := range len(order) - 1 {
		a, err := parseVersion(order[i])
		if err != nil {
			t.Fatal(err)
		}
		b, err := parseVersion(order[i+1])
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(dpkg, "--compare-versions", a.debian, "lt", b.debian).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s is not less than %s: %v %s", a.debian, b.debian, err, out)
		}
	}
}

func TestSuites(t *testing.T) {
	for version, want := range map[string]string{"1.2.3": "stable", "1.2.3+build": "stable", "1.2.3-rc.1": "testing"} {
		r, err := parseVersion(version)
		if err != nil || r.suite() != want {
			t.Errorf("%s: %s, %v; want %s", version, r.suite(), err, want)
		}
	}
}
