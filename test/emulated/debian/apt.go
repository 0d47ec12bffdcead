package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Suite is the Debian release that everything comes from. The names of the
// kernel packages and the patches of the modules belong to it.
const Suite = "bookworm"

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Cache is the folder that everything is kept in.
type Cache struct {
	Dir string
	// Log reports the steps that take a while.
	Log func(format string, args ...any)

	mu      sync.Mutex // one at a time gets something
	fetched *apt       // once the package lists are here
}

// apt is a private apt state with the architectures of the emulated machines.
type apt struct {
	cache *Cache
	conf  string
	host  string // this machine's own architecture
}

// apt prepares the state and fetches the package lists. The caller has the lock.
func (c *Cache) apt(ctx context.Context) (*apt, error) {
	if c.fetched != nil {
		return c.fetched, nil
	}
	mirror, err := Mirror()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "debs"), 0o755); err != nil {
		return nil, err
	}
	host, err := output(ctx, c.Dir, nil, "dpkg", "--print-architecture")
	if err != nil {
		return nil, err
	}
	host = strings.TrimSpace(host)
	a := &apt{cache: c, conf: filepath.Join(dir, "apt.conf"), host: host}
	sources := ""
	for _, s := range []string{Suite, Suite + "-backports"} {
		sources += fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, s)
	}
	conf := fmt.Sprintf(`APT::Architecture %q;
APT::Architectures { %q; "armhf"; "armel"; };
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::Languages "none";
Dir::State %q;
Dir::State::Lists %q;
Dir::State::status %q;
Dir::Cache %q;
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "-";
Dir::Etc::parts "/dev/null";
`, host, host, dir, filepath.Join(dir, "lists"), filepath.Join(dir, "status"), filepath.Join(dir, "cache"), filepath.Join(dir, "sources.list"))
	for name, text := range map[string]string{"apt.conf": conf, "sources.list": sources, "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	c.Log("fetching Debian's package lists")
	// A mirror that is being updated has lists that do not match each other for
	// some minutes. Those of the last time, or the other suite's, may do: what is
	// missing is reported when it is requested.
	if err := a.patiently(ctx, "apt-get", "-qq", "update"); err != nil {
		c.Log("going on with the package lists that there are: %v", err)
	}
	c.fetched = a
	return a, nil
}

// attempts is how often a fetch is tried.
const attempts = 4

// patiently runs what may fail because of the network or of a mirror that is
// being updated.
func (a *apt) patiently(ctx context.Context, name string, args ...string) error {
	for n := 1; ; n++ {
		_, err := a.run(ctx, name, args...)
		if err == nil || n == attempts {
			return err
		}
		a.cache.Log("trying again in %d s: %v", 5*n, err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(5*n) * time.Second):
		}
	}
}

func (a *apt) run(ctx context.Context, name string, args ...string) (string, error) {
	return output(ctx, filepath.Join(a.cache.Dir, "debs"), []string{"APT_CONFIG=" + a.conf, "LC_ALL=C"}, name, args...)
}

// dependency is the package that a metapackage, such as linux-image-rpi, stands
// for: the first one it depends on whose name begins with prefix.
func (a *apt) dependency(ctx context.Context, pkg, prefix string) (string, error) {
	text, err := a.run(ctx, "apt-cache", "depends", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if name, _, _ = strings.Cut(name, ":"); ok && strings.HasPrefix(name, prefix) {
			return name, nil
		}
	}
	return "", fmt.Errorf("package %s depends on no %s…", pkg, prefix)
}

// version is the newest version of a package.
func (a *apt) version(ctx context.Context, pkg string) (string, error) {
	text, err := a.run(ctx, "apt-cache", "show", "--no-all-versions", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "Version: "); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", fmt.Errorf("package %s has no version", pkg)
}

// download fetches packages, given as NAME:ARCH, NAME:ARCH=VERSION or
// NAME:ARCH/SUITE, and returns their files in the same order.
func (a *apt) download(ctx context.Context, packages ...string) ([]string, error) {
	a.cache.Log("fetching %s", strings.Join(packages, " "))
	if err := a.patiently(ctx, "apt-get", append([]string{"-qq", "download"}, packages...)...); err != nil {
		return nil, err
	}
	var files []string
	for _, p := range packages {
		name, _, _ := strings.Cut(p, ":")
		arch := strings.FieldsFunc(p[len(name)+1:], func(r rune) bool { return r == '=' || r == '/' })[0]
		matches, _ := filepath.Glob(filepath.Join(a.cache.Dir, "debs", name+"_*_"+arch+".deb"))
		if len(matches) == 0 {
			return nil, fmt.Errorf("package %s was not fetched", p)
		}
		files = append(files, matches[len(matches)-1])
	}
	return files, nil
}

// Mirror is the Debian archive that this machine's own apt uses.
func Mirror() (string, error) { return findMirror("/etc/apt") }

// findMirror is the first Debian archive that this machine's own apt uses.
func findMirror(etc string) (string, error) {
	files, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.sources"))
	lists, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.list"))
	files = append(append(files, lists...), filepath.Join(etc, "sources.list"))
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		uri := readMirror(f)
		f.Close()
		if uri != "" {
			return uri, nil
		}
	}
	return "", errors.New("no archive with Debian " + Suite + " in this machine's apt sources: the tests need Debian 12 packages")
}

// readMirror finds the archive of our suite in a file in either of apt's two
// formats (sources.list(5)).
func readMirror(r io.Reader) string {
	var uri string // of the current deb822 stanza
	has := false
	for s := bufio.NewScanner(r); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			uri, has = "", false
		case strings.HasPrefix(line, "#"):
		case words[0] == "deb":
			words = words[1:]
			if len(words) > 0 && strings.HasPrefix(words[0], "[") {
				for len(words) > 0 && !strings.HasSuffix(words[0], "]") {
					words = words[1:]
				}
				words = words[min(1, len(words)):]
			}
			if len(words) >= 2 && words[1] == Suite {
				return words[0]
			}
		case strings.EqualFold(words[0], "URIs:") && len(words) > 1:
			uri = words[1]
		case strings.EqualFold(words[0], "Suites:"):
			for _, s := range words[1:] {
				has = has || s == Suite
			}
		}
		if uri != "" && has {
			return uri
		}
	}
	return ""
}

// output runs a program and returns what it prints. An error holds the end of
// what it complained about.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(complaints.String())
		if len(text) > 2000 {
			text = "…" + text[len(text)-2000:]
		}
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, text)
	}
	return out.String(), nil
}
