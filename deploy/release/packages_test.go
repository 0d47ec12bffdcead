package main

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// published is the folder that make release has filled, and the version in it.
func published(t *testing.T) (dist, version string) {
	t.Helper()
	dist = os.Getenv("PITHINGS_DIST")
	if dist == "" {
		dist = filepath.Join(root, "dist")
	}
	bills, err := filepath.Glob(filepath.Join(dist, "pithings_*.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bills) != 1 {
		lacks(t, dist+" has no release; make it with: make test-packages")
	}
	return dist, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(bills[0]), "pithings_"), ".cdx.json")
}

// packageOf is the published package for a processor.
func packageOf(t *testing.T, p processor) string {
	t.Helper()
	dist, version := published(t)
	r, err := parseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dist, "pithings_"+r.debian+"_"+p.debian+".deb")
}

// TestPackageHasAllItsFiles, each with its owner and mode.
func TestPackageHasAllItsFiles(t *testing.T) {
	for _, p := range processors {
		files := map[string]string{}
		for line := range strings.Lines(command(t, "dpkg-deb", "--contents", packageOf(t, p))) {
			f := strings.Fields(line)
			files[strings.TrimPrefix(f[5], ".")] = f[0] + " " + f[1]
		}
		for file, want := range map[string]string{
			"/usr/bin/pithings":                                  "-rwxr-xr-x root/root",
			"/usr/lib/systemd/system/pithings.service":           "-rw-r--r-- root/root",
			"/usr/lib/systemd/system/pithings-reboot.service":    "-rw-r--r-- root/root",
			"/usr/lib/systemd/system/pithings-reboot.socket":     "-rw-r--r-- root/root",
			"/usr/lib/sysusers.d/pithings.conf":                  "-rw-r--r-- root/root",
			"/usr/lib/udev/rules.d/60-pithings.rules":            "-rw-r--r-- root/root",
			"/usr/share/man/man1/pithings.1.gz":                  "-rw-r--r-- root/root",
			"/usr/share/man/man5/pithings.yaml.5.gz":             "-rw-r--r-- root/root",
			"/usr/share/bash-completion/completions/pithings":    "-rw-r--r-- root/root",
			"/usr/share/zsh/vendor-completions/_pithings":        "-rw-r--r-- root/root",
			"/usr/share/fish/vendor_completions.d/pithings.fish": "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/copyright":                  "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/changelog.gz":               "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/examples/pithings.yaml":     "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/examples/screen.conf":       "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/examples/mosquitto/acl":     "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/examples/aws/pi.json":       "-rw-r--r-- root/root",
			"/usr/share/doc/pithings/recipes/night.md":           "-rw-r--r-- root/root",
			"/etc/pithings/": "drwxr-xr-x root/root",
		} {
			if files[file] != want {
				t.Errorf("%s: %s is %q, want %q", p.debian, file, files[file], want)
			}
		}
		for file := range files {
			if strings.HasPrefix(file, "/etc/pithings/") && file != "/etc/pithings/" {
				t.Errorf("%s: %s: the configuration is the administrator's", p.debian, file)
			}
		}
		if got := command(t, "dpkg-deb", "--field", packageOf(t, p), "Architecture"); got != p.debian+"\n" {
			t.Errorf("the architecture is %q, want %s", got, p.debian)
		}
	}
}

// maxPackage bounds what a Pi has to fetch, in bytes.
const maxPackage = 7_500_000

// TestPackagesAreSmall: the largest has 6.5 MB, with 17 MB of program.
func TestPackagesAreSmall(t *testing.T) {
	for _, p := range processors {
		info, err := os.Stat(packageOf(t, p))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes of %d", filepath.Base(packageOf(t, p)), info.Size(), maxPackage)
		if info.Size() > maxPackage {
			t.Errorf("%s has %d bytes, more than %d", packageOf(t, p), info.Size(), maxPackage)
		}
	}
}

// TestProgramsFitTheirProcessors: the package for armhf runs on every Pi, the first one and
// the Zero among them, which have an ARMv6.
func TestProgramsFitTheirProcessors(t *testing.T) {
	for arch, want := range map[string][]string{
		"armhf": {"GOARCH=arm", "GOARM=6", "CGO_ENABLED=0"},
		"arm64": {"GOARCH=arm64", "CGO_ENABLED=0"},
		"amd64": {"GOARCH=amd64", "CGO_ENABLED=0", "GOAMD64=v1"},
	} {
		dir := t.TempDir()
		command(t, "dpkg-deb", "--extract", packageOf(t, processor{debian: arch}), dir)
		info, err := buildinfo.ReadFile(filepath.Join(dir, "usr/bin/pithings"))
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, s := range info.Settings {
			have[s.Key+"="+s.Value] = true
		}
		for _, w := range want {
			if !have[w] {
				t.Errorf("%s: the program is not built with %s: %v", arch, w, info.Settings)
			}
		}
	}
}

// TestThePackagedProgramRuns and prints the version that was released.
func TestThePackagedProgramRuns(t *testing.T) {
	dir := t.TempDir()
	command(t, "dpkg-deb", "--extract", packageOf(t, processor{debian: "amd64"}), dir)
	out, err := exec.Command(filepath.Join(dir, "usr/bin/pithings"), "version").CombinedOutput()
	_, version := published(t)
	if err != nil || !strings.HasPrefix(string(out), "pithings "+version+" ") {
		t.Errorf("%v: %s; want the version %s", err, out, version)
	}
	// What the package offers as examples are some.
	examples := filepath.Join(dir, "usr/share/doc/pithings/examples")
	for _, args := range [][]string{{"config", "check", examples + "/pithings.yaml"}, {"flow", "validate", examples + "/SecurityFlow.yaml"}} {
		if out, err := exec.Command(filepath.Join(dir, "usr/bin/pithings"), args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}

// TestLintian: nothing against the packages but that Go links statically.
func TestLintian(t *testing.T) {
	overrides := string(read(t, filepath.Join(root, "deploy/debian/lintian-overrides")))
	for line := range strings.Lines(overrides) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && line != "pithings: statically-linked-binary [usr/bin/pithings]" {
			t.Errorf("lintian is not to overlook %s", line)
		}
	}
	args := []string{"--fail-on", "error,warning", "--allow-root", "--no-cfg"}
	for _, p := range processors {
		args = append(args, packageOf(t, p))
	}
	out, err := exec.Command(need(t, "lintian"), args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "W: ") || strings.Contains(string(out), "E: ") {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// TestScriptsAreSound: what dpkg runs as root has no mistake that shellcheck knows.
func TestScriptsAreSound(t *testing.T) {
	scripts, err := theSource(t).files("deploy/debian/p*")
	if err != nil {
		t.Fatal(err)
	}
	if len(scripts) < 3 {
		t.Errorf("the scripts are %q", scripts)
	}
	if out, err := exec.Command(need(t, "shellcheck"), append([]string{"--shell=dash"}, scripts...)...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
