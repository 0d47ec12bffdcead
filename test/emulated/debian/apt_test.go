package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheMirrorIsTheMachinesOwn(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"deb822", "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n", "http://a.example/debian"},
		{"deb822, other order", "# ours\nSuites: bookworm\nURIs: http://a.example/debian http://b.example/\n", "http://a.example/debian"},
		{"deb822, security first", "URIs: http://s.example/\nSuites: bookworm-security\n\nURIs: http://a.example/\nSuites: bookworm\n", "http://a.example/"},
		{"one line", "deb http://a.example/debian bookworm main contrib\n", "http://a.example/debian"},
		{"one line with options", "deb [arch=amd64 signed-by=/k.gpg] http://a.example/ bookworm main\n", "http://a.example/"},
		{"sources only", "deb-src http://a.example/ bookworm main\n", ""},
		{"another release", "deb http://a.example/ trixie main\n", ""},
		{"cut short", "deb [arch=amd64\n", ""},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readMirror(strings.NewReader(c.text)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTheMirrorIsLookedForInAllFiles(t *testing.T) {
	etc := t.TempDir()
	if _, err := findMirror(etc); err == nil || !strings.Contains(err.Error(), "Debian 12") {
		t.Errorf("no sources at all: %v", err)
	}
	if err := os.WriteFile(filepath.Join(etc, "sources.list"), []byte("deb http://a.example/ bookworm main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := findMirror(etc); err != nil || got != "http://a.example/" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDropLines(t *testing.T) {
	if got := string(dropLines([]byte("a\nMODULE_DEVICE_TABLE(of, x);\nb\n"), "MODULE_DEVICE_TABLE")); got != "a\nb\n" {
		t.Errorf("%q", got)
	}
}

func TestInstalledAreThePackagesOfTheArchitecture(t *testing.T) {
	text := "NOTE: This is only a simulation!\nInst libc6 (2.36-9 Debian:12.14/oldstable [amd64])\nInst libc6:armhf (2.36-9 Debian:12.14/oldstable [armhf])\n" +
		"Inst debconf (1.5.82 Debian:12.4/oldstable [all])\nInst systemd:armhf (252.39-1 Debian:12 [armhf]) []\nConf libc6:armhf (2.36-9)\nInst\n"
	if got := strings.Join(installed(text, "armhf"), " "); got != "libc6:armhf debconf:all systemd:armhf" {
		t.Errorf("%q", got)
	}
}
