package debian

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// Systemd gets Debian's systemd for a kernel's machine, with all that it needs,
// unpacked into a folder that can be somebody's root.
func (c *Cache) Systemd(ctx context.Context, f Flavour) (dir string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir = filepath.Join(c.Dir, "systemd-"+f.arch)
	// Written last: without it whatever stands there is begun anew.
	done := filepath.Join(dir, "unpacked")
	if _, err := os.Stat(done); err == nil {
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
	packages, err := a.closure(ctx, "systemd", f.arch)
	if err != nil {
		return "", err
	}
	debs, err := a.download(ctx, packages...)
	if err != nil {
		return "", err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, dir); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(done, nil, 0o644)
}

// closure is a package with all packages of its architecture that it depends on.
func (a *apt) closure(ctx context.Context, pkg, arch string) ([]string, error) {
	text, err := a.run(ctx, "apt-get", "--simulate", "--yes", "--no-install-recommends", "install", pkg+":"+arch)
	if err != nil {
		return nil, err
	}
	return installed(text, arch), nil
}

// installed reads what apt-get --simulate would install: lines such as
// "Inst libc6:armhf (2.36-9 Debian:12 [armhf])".
func installed(text, arch string) (packages []string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "Inst" && strings.HasSuffix(words[1], ":"+arch) {
			packages = append(packages, words[1])
		}
	}
	return packages
}
