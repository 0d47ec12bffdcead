package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sources is where the sources of the modules are, by file name.
type sources struct{ kernel, loopback string }

// moduleSources fetches the sources of the modules that Debian's kernels lack:
// gpio-sim and irq_sim are not switched on in any of them, v4l2loopback comes
// as source only. version is the kernel's: the sources have to match it.
func (c *Cache) moduleSources(ctx context.Context, a *apt, version string) (sources, error) {
	dir := filepath.Join(c.Dir, "source-"+version)
	s := sources{kernel: filepath.Join(dir, "linux-source-6.1"), loopback: filepath.Join(dir, "v4l2loopback")}
	done := filepath.Join(dir, "unpacked")
	if _, err := os.Stat(done); err == nil {
		return s, nil
	}
	debs, err := a.download(ctx, "linux-source-6.1:all="+version, "v4l2loopback-dkms:all")
	if err != nil {
		return s, err
	}
	packages := filepath.Join(dir, "packages")
	if err := os.MkdirAll(packages, 0o755); err != nil {
		return s, err
	}
	c.Log("unpacking the sources of gpio-sim and v4l2loopback")
	for _, deb := range debs {
		if err := unpack(ctx, deb, packages); err != nil {
			return s, err
		}
	}
	const top = "linux-source-6.1/"
	if _, err := output(ctx, dir, nil, "tar", "-xJf", filepath.Join(packages, "usr/src/linux-source-6.1.tar.xz"), "--occurrence=1",
		top+"drivers/gpio/gpio-sim.c", top+"drivers/gpio/gpiolib.h", top+"kernel/irq/irq_sim.c"); err != nil {
		return s, err
	}
	found, _ := filepath.Glob(filepath.Join(packages, "usr/src/v4l2loopback-*"))
	if len(found) != 1 {
		return s, fmt.Errorf("%d folders of v4l2loopback in %s, want one", len(found), packages)
	}
	if err := os.Rename(found[0], s.loopback); err != nil {
		return s, err
	}
	if err := os.RemoveAll(packages); err != nil {
		return s, err
	}
	return s, os.WriteFile(done, nil, 0o644)
}

// crossPrefix names the cross compiler: it builds kernel modules for both
// flavours, as these use no floating point.
const crossPrefix = "arm-linux-gnueabihf-"

// buildModules builds the modules in build, where the kernel's headers are unpacked.
func (k *Kernel) buildModules(ctx context.Context, c *Cache, build string, s sources) error {
	headers := filepath.Join(build, "usr/src/linux-headers-"+k.Release)
	// The headers' Makefile names the folder that the package would install.
	if err := rewrite(filepath.Join(headers, "Makefile"), filepath.Join(headers, "Makefile"),
		func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(" /usr/src/"), []byte(" "+build+"/usr/src/"))
		}); err != nil {
		return err
	}
	gpio, loopback := filepath.Join(build, "gpio-sim"), filepath.Join(build, "v4l2loopback")
	for _, d := range []string{gpio, loopback} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	same := func(b []byte) []byte { return b }
	steps := []struct {
		from, to string
		change   func([]byte) []byte
	}{
		{filepath.Join(s.kernel, "drivers/gpio/gpiolib.h"), filepath.Join(gpio, "gpiolib.h"), same},
		// This machine's modpost cannot read device tables of 32-bit modules.
		{filepath.Join(s.kernel, "drivers/gpio/gpio-sim.c"), filepath.Join(gpio, "gpio-sim-main.c"), func(b []byte) []byte {
			return dropLines(b, "MODULE_DEVICE_TABLE")
		}},
		// irq_to_desc is not exported to modules; this does the same by number.
		{filepath.Join(s.kernel, "kernel/irq/irq_sim.c"), filepath.Join(gpio, "irq_sim.c"), func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("handle_simple_irq(irq_to_desc(irqnum))"), []byte("generic_handle_irq(irqnum)"))
		}},
	}
	loopbackFiles, _ := filepath.Glob(filepath.Join(s.loopback, "*.[ch]"))
	for _, f := range loopbackFiles {
		steps = append(steps, struct {
			from, to string
			change   func([]byte) []byte
		}{f, filepath.Join(loopback, filepath.Base(f)), same})
	}
	for _, step := range steps {
		if err := rewrite(step.from, step.to, step.change); err != nil {
			return err
		}
	}
	for _, m := range []struct{ dir, name, kbuild string }{
		{gpio, "gpio-sim", "obj-m := gpio-sim.o\ngpio-sim-y := gpio-sim-main.o irq_sim.o\n"},
		{loopback, "v4l2loopback", "obj-m := v4l2loopback.o\n"},
	} {
		if err := os.WriteFile(filepath.Join(m.dir, "Kbuild"), []byte(m.kbuild), 0o644); err != nil {
			return err
		}
		c.Log("building %s for %s", m.name, k.Release)
		// MAKEFLAGS: this may run under a make of our own, whose jobs are not ours.
		if _, err := output(ctx, m.dir, []string{"MAKEFLAGS="}, "make", "-s", "-C", headers, "M="+m.dir, "ARCH=arm",
			"CROSS_COMPILE="+crossPrefix, "CC="+crossPrefix+"gcc-12", "modules"); err != nil {
			return err
		}
		if _, err := output(ctx, m.dir, nil, crossPrefix+"strip", "-g", k.Extra(m.name)); err != nil {
			return err
		}
	}
	return nil
}

func rewrite(from, to string, change func([]byte) []byte) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, change(text), 0o644)
}

func dropLines(b []byte, prefix string) []byte {
	var kept strings.Builder
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, prefix) {
			kept.WriteString(line)
		}
	}
	return []byte(kept.String())
}
