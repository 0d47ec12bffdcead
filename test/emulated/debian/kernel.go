package debian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Flavour is one of Debian's ARM kernels.
type Flavour struct{ name, arch string }

var (
	// RPi is the kernel for ARMv6 Pis: the Zero and the first ones.
	RPi = Flavour{"rpi", "armel"}
	// ARMMP is the kernel for ARMv7 machines.
	ARMMP = Flavour{"armmp", "armhf"}
)

// Kernel is a kernel ready to boot, with its modules.
type Kernel struct {
	Release string // "6.1.0-50-rpi"
	Version string // of the package, "6.1.176-1"

	dir string
}

// Dir is where the package is unpacked.
func (k *Kernel) Dir() string { return filepath.Join(k.dir, "image") }

// Extra is the file of a module that was built here: gpio-sim, v4l2loopback.
func (k *Kernel) Extra(module string) string {
	return filepath.Join(k.dir, "build", module, module+".ko")
}

// Image is the kernel's file.
func (k *Kernel) Image() string { return filepath.Join(k.Dir(), "boot", "vmlinuz-"+k.Release) }

// DeviceTree is the file of a board's device tree.
func (k *Kernel) DeviceTree(name string) string {
	return filepath.Join(k.Dir(), "usr/lib/linux-image-"+k.Release, name)
}

// ModuleDir is the folder that holds modules.dep.
func (k *Kernel) ModuleDir() string { return filepath.Join(k.Dir(), "lib/modules", k.Release) }

// Kernel gets the kernel, building what Debian does not.
func (c *Cache) Kernel(ctx context.Context, f Flavour) (*Kernel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := filepath.Join(c.Dir, f.name)
	k := &Kernel{dir: dir}
	// The record is written last: without it whatever stands there is begun anew.
	record := filepath.Join(dir, "kernel.json")
	if text, err := os.ReadFile(record); err == nil {
		if err := json.Unmarshal(text, k); err != nil {
			return nil, fmt.Errorf("%s: %w (remove the folder to begin anew)", record, err)
		}
		return k, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{"image", "build"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	a, err := c.apt(ctx)
	if err != nil {
		return nil, err
	}
	// Kernels change their names with every point release: ask what the
	// metapackage stands for today.
	image, err := a.dependency(ctx, "linux-image-"+f.name+":"+f.arch, "linux-image-")
	if err != nil {
		return nil, err
	}
	k.Release = strings.TrimPrefix(image, "linux-image-")
	if k.Version, err = a.version(ctx, image+":"+f.arch); err != nil {
		return nil, err
	}
	common := "linux-headers-" + strings.TrimSuffix(k.Release, "-"+f.name) + "-common"
	debs, err := a.download(ctx, image+":"+f.arch, "linux-headers-"+k.Release+":"+f.arch, common+":all", "linux-kbuild-6.1:"+a.host)
	if err != nil {
		return nil, err
	}
	c.Log("unpacking kernel %s", k.Release)
	for i, to := range []string{"image", "build", "build", "build"} {
		if err := unpack(ctx, debs[i], filepath.Join(dir, to)); err != nil {
			return nil, err
		}
	}
	sources, err := c.moduleSources(ctx, a, k.Version)
	if err != nil {
		return nil, err
	}
	if err := k.buildModules(ctx, c, filepath.Join(dir, "build"), sources); err != nil {
		return nil, err
	}
	if _, err := output(ctx, dir, nil, "/sbin/depmod", "-b", k.Dir(), k.Release); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return nil, err
	}
	return k, os.WriteFile(record, append(text, '\n'), 0o644)
}

func unpack(ctx context.Context, deb, dir string) error {
	_, err := output(ctx, "/", nil, "dpkg-deb", "-x", deb, dir)
	return err
}

// QEMU is a QEMU that was unpacked, not installed.
type QEMU struct{ Program, Data string }

// QEMU gets the newest qemu-system-arm of the backports: Debian 12's own has no
// I²C controller in its Pi. The shared libraries are those of Debian 12's own,
// which has to be installed.
func (c *Cache) QEMU(ctx context.Context) (*QEMU, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := filepath.Join(c.Dir, "qemu")
	q := &QEMU{Program: filepath.Join(dir, "usr/bin/qemu-system-arm"), Data: filepath.Join(dir, "usr/share/qemu")}
	done := filepath.Join(dir, "unpacked")
	if _, err := os.Stat(done); err == nil {
		return q, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	a, err := c.apt(ctx)
	if err != nil {
		return nil, err
	}
	from := "/" + Suite + "-backports"
	debs, err := a.download(ctx, "qemu-system-arm:"+a.host+from, "qemu-system-common:"+a.host+from, "qemu-system-data:all"+from)
	if err != nil {
		return nil, err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, dir); err != nil {
			return nil, err
		}
	}
	if _, err := output(ctx, dir, nil, q.Program, "--version"); err != nil {
		return nil, fmt.Errorf("the backported QEMU does not run; apt-get install qemu-system-arm brings its libraries: %w", err)
	}
	return q, os.WriteFile(done, nil, 0o644)
}
