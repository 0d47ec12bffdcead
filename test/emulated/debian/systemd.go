package debian

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// Systemd gets Debian's systemd for a kernel's machine, with all that it needs,
// unpacked into a folder that can be a root file system.
func (c *Cache) Systemd(ctx context.Context, f Flavour) (dir string, err error) {
	return c.Unpacked(ctx, f, "systemd", "systemd")
}

// Unpacked gets packages for a kernel's machine, with all that they need, unpacked into a
// folder of the cache. Their maintainer scripts have not run.
func (c *Cache) Unpacked(ctx context.Context, f Flavour, name string, packages ...string) (dir string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir = filepath.Join(c.Dir, name+"-"+f.arch)
	// Written last: without it whatever stands there is begun anew.
	done, list := filepath.Join(dir, "unpacked"), strings.Join(packages, "\n")
	if had, err := os.ReadFile(done); err == nil && string(had) == list {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	a, err := c.apt(ctx)
	if err != nil {
		return "", err
	}
	var wanted []string
	for _, p := range packages {
		wanted = append(wanted, p+":"+f.arch)
	}
	all, err := a.closure(ctx, f.arch, wanted...)
	if err != nil {
		return "", err
	}
	debs, err := a.download(ctx, all...)
	if err != nil {
		return "", err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, dir); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(done, []byte(list), 0o644)
}

// closure are packages, with all that they depend on, of an architecture, as NAME:ARCH.
// Options of apt may be among them.
func (a *apt) closure(ctx context.Context, arch string, packages ...string) ([]string, error) {
	args := append([]string{"--simulate", "--yes", "--no-install-recommends", "install"}, packages...)
	text, err := a.run(ctx, "apt-get", args...)
	if err != nil {
		return nil, err
	}
	return installed(text, arch), nil
}

// installed reads what apt-get --simulate would install: lines such as
// "Inst libc6:armhf (2.36-9 Debian:12 [armhf])", and "Inst debconf (1.5.82 Debian:12 [all])".
// Those of the machine's own architecture have it in brackets only.
func installed(text, arch string) (packages []string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "Inst" {
			continue
		}
		name, _, _ := strings.Cut(words[1], ":")
		for _, a := range []string{arch, "all"} {
			if strings.Contains(line, " ["+a+"])") {
				packages = append(packages, name+":"+a)
			}
		}
	}
	return packages
}
