package debian

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// essential are the packages of every Debian (Essential: yes) that matter here, apt,
// and what a Raspberry Pi boots with.
var essential = []string{
	"apt", "base-files", "base-passwd", "bash", "coreutils", "dash", "debianutils", "diffutils", "dpkg", "findutils", "grep", "gzip",
	"init-system-helpers", "libc-bin", "login", "passwd", "perl-base", "sed", "sysvinit-utils", "tar", "util-linux",
	"systemd", "systemd-sysv", "udev", "usr-is-merged",
}

// Installed gets a Debian with apt, dpkg, systemd and udev for a kernel's machine, in a
// folder that can be a root file system. Its packages are unpacked, and recorded as
// installed, so that apt and dpkg there install others; their maintainer scripts, for
// which an emulated processor needs many minutes, have not run.
func (c *Cache) Installed(ctx context.Context, f Flavour) (dir string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir = filepath.Join(c.Dir, "installed-"+f.arch)
	// Written last: without it whatever stands there is begun anew.
	done := filepath.Join(dir, "unpacked")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := layOut(dir); err != nil {
		return "", err
	}
	a, err := c.apt(ctx)
	if err != nil {
		return "", err
	}
	// As apt on that machine would have it: all is of its architecture.
	packages, err := a.closure(ctx, f.arch, append([]string{"--option", "APT::Architecture=" + f.arch}, essential...)...)
	if err != nil {
		return "", err
	}
	debs, err := a.download(ctx, packages...)
	if err != nil {
		return "", err
	}
	var status strings.Builder
	for i, deb := range debs {
		if err := install(ctx, deb, packages[i], dir, &status); err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Base(deb), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "var/lib/dpkg/status"), []byte(status.String()), 0o644); err != nil {
		return "", err
	}
	// What base-passwd's and base-files' scripts would do.
	for _, name := range []string{"passwd", "group"} {
		text, err := os.ReadFile(filepath.Join(dir, "usr/share/base-passwd", name+".master"))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "etc", name), text, 0o644); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(done, nil, 0o644)
}

// layOut makes the folders that are there before the first package: /bin, /lib and /sbin
// are links into /usr since Debian 12.
func layOut(dir string) error {
	for _, d := range []string{"usr/bin", "usr/lib", "usr/sbin", "etc", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{"bin", "lib", "sbin"} {
		if err := os.Symlink("usr/"+d, filepath.Join(dir, d)); err != nil {
			return err
		}
	}
	return nil
}

// install unpacks a package, given as NAME:ARCH, and records it as installed: dpkg's
// record is the package's own control file and the list of its files (dpkg-query(1)).
func install(ctx context.Context, deb, pkg, dir string, status io.Writer) (err error) {
	control, err := output(ctx, "/", nil, "dpkg-deb", "--field", deb)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(status, "%s\nStatus: install ok installed\n\n", strings.TrimRight(control, "\n")); err != nil {
		return err
	}
	names, err := output(ctx, dir, nil, "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar --extract --verbose --keep-directory-symlink`, "sh", deb)
	if err != nil {
		return err
	}
	var files strings.Builder
	for name := range strings.Lines(names) {
		name = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSpace(name), "/"), ".")
		if name == "" {
			name = "/."
		}
		files.WriteString(name + "\n")
	}
	name, _, _ := strings.Cut(pkg, ":")
	if strings.Contains(control, "\nMulti-Arch: same\n") {
		name = pkg
	}
	return os.WriteFile(filepath.Join(dir, "var/lib/dpkg/info", name+".list"), []byte(files.String()), 0o644)
}
