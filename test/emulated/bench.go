package emulated

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"pithings/test/emulated/debian"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/qemu"
)

// bench has what a machine is booted from, and can be booted several times.
type bench struct {
	machine machine
	cache   *debian.Cache
	kernel  *debian.Kernel
	systemd string // a folder with a Debian with systemd
	release release
	project string // the project's folder
	dir     string // for what is built here
}

// setUp fetches and builds all for a machine. project is the project's folder.
func setUp(ctx context.Context, m machine, c *debian.Cache, project string) (*bench, error) {
	b := &bench{machine: m, cache: c, project: project, dir: filepath.Join(c.Dir, "run", m.name)}
	var err error
	if b.kernel, err = c.Kernel(ctx, m.flavour); err != nil {
		return nil, err
	}
	if b.systemd, err = c.Systemd(ctx, m.flavour); err != nil {
		return nil, err
	}
	if b.release, err = newRelease(ctx, filepath.Join(c.Dir, "run", "release")); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range programs {
		if err := b.build(ctx, p); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// programs are the Go programs in the guest, by their places there.
var programs = []struct{ place, pkg string }{
	{"init", "pithings/test/emulated/guest/init"},
	{"bin/container", "pithings/test/emulated/guest/container"},
	{"bin/bridge", "pithings/test/emulated/guest/bridge"},
	{"bin/feeder", "pithings/test/emulated/guest/feeder"},
	{"bin/system.test", "pithings/test/emulated/guest/system"},
	{"bin/pi.test", "pithings/hw/pi"},
}

// shipped are the files of the package that lie in the Debian with systemd without apt: the
// program, and what makes a service of it.
var shipped = []struct {
	name string
	mode uint32
}{
	{"/usr/bin/pithings", 0o755},
	{"/usr/lib/systemd/system/pithings.service", 0o644},
	{"/usr/lib/sysusers.d/pithings.conf", 0o644},
}

// build builds one of them as for a Pi Zero.
func (b *bench) build(ctx context.Context, p struct{ place, pkg string }) error {
	target := []string{"GOOS=linux", "GOARCH=arm", "GOARM=6", "CGO_ENABLED=0"}
	args := []string{"build"}
	if strings.HasSuffix(p.place, ".test") {
		args = []string{"test", "-c"}
	}
	args = append(args, "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(b.dir, filepath.Base(p.place)), p.pkg)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), target...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// modulesDir is where the modules are in the guest.
const modulesDir = "/lib/modules"

// plan is what init shall do at a start.
func (b *bench) plan(w boot) guest.Plan {
	p := guest.Plan{
		GPIO: &guest.GPIO{Label: "gpio-sim-pi", Count: 54, Lines: map[int]string{
			4: "SIM4", 17: "SIM17", 18: "SIM18", 22: "SIM22", 23: "SIM23", 24: "SIM24", 25: "SIM25", 27: "SIM27",
		}},
		// As on a Pi, where it makes periph close the chip's files, and others'.
		Links:    map[string]string{"/dev/gpiochip9": "gpiochip0"},
		Programs: w.programs,
	}
	if b.machine.virtio {
		p.Address = guest.Address
		if w.disk != "" {
			p.Disk = "/dev/vda"
		}
	}
	return p
}

// pack writes a boot's root file system, with a plan to which it adds the modules.
func (b *bench) pack(ctx context.Context, file string, w boot, plan guest.Plan) error {
	root := qemu.NewInitramfs()
	for _, d := range []string{"proc", "sys", "dev", "tmp", "run"} {
		root.Dir(d, 0o755)
	}
	root.File("etc/passwd", 0o644, []byte(guest.Passwd))
	root.File("etc/group", 0o644, []byte(guest.Group))
	if err := b.modules(root, &plan); err != nil {
		return err
	}
	for _, p := range programs {
		root.Copy(p.place, 0o755, filepath.Join(b.dir, filepath.Base(p.place)))
	}
	root.Link("bin/pithings", guest.Systemd+"/usr/bin/pithings")
	root.Copy(strings.TrimPrefix(guest.RulesFile, "/"), 0o644, b.release.file("/usr/lib/udev/rules.d/60-pithings.rules"))
	add := b.service
	if w.apt {
		add = b.installed
	}
	if err := add(ctx, root); err != nil {
		return err
	}
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	root.File(guest.PlanFile, 0o644, text)
	return root.WriteFile(file)
}

func (b *bench) modules(root *qemu.Initramfs, plan *guest.Plan) error {
	files, err := qemu.Modules(b.kernel.ModuleDir(), b.machine.modules...)
	if err != nil {
		return err
	}
	// v4l2loopback needs what vivid has brought already.
	files = append(files, b.kernel.Extra("gpio-sim"), b.kernel.Extra("v4l2loopback"))
	params := map[string]string{
		// One webcam with one input, and a metadata node beside it.
		"vivid.ko": "n_devs=1 node_types=0x20001 num_inputs=1 input_types=0x0 vid_cap_nr=0 meta_cap_nr=1",
		// Not a capture device until a program feeds it.
		"v4l2loopback.ko": "devices=1 video_nr=10 exclusive_caps=1 card_label=Loopback",
	}
	for _, f := range files {
		name := filepath.Join(modulesDir, filepath.Base(f))
		root.Copy(name, 0o644, f)
		plan.Modules = append(plan.Modules, guest.Module{File: name, Params: params[filepath.Base(f)]})
	}
	return nil
}

// machineID is the Debian's. Without one systemd takes itself for newly installed.
var machineID = []byte(strings.Repeat("0123456789abcdef", 2) + "\n")

// installed adds a Debian with systemd, apt and dpkg, and the package to be installed there.
func (b *bench) installed(ctx context.Context, root *qemu.Initramfs) error {
	debian, err := b.cache.Installed(ctx, b.machine.flavour)
	if err != nil {
		return err
	}
	root.File(guest.Systemd+"/etc/machine-id", 0o644, machineID)
	root.Copy(guest.Package, 0o644, b.release.deb)
	// It would have udev look at some hundred devices, which takes this processor a minute.
	// The package has it look at those that matter.
	root.Link(guest.Systemd+"/etc/systemd/system/systemd-udev-trigger.service", "/dev/null")
	return root.Tree(guest.Systemd, debian, func(name string) bool {
		switch name {
		case "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/lintian", "usr/lib/udev/hwdb.d", "unpacked":
			return true
		}
		return filepath.Base(name) == "gconv"
	})
}

// service adds a Debian with systemd, and what the package brings for the service.
func (b *bench) service(_ context.Context, root *qemu.Initramfs) error {
	for _, f := range shipped {
		root.Copy(guest.Systemd+f.name, f.mode, b.release.file(f.name))
	}
	// The administrator's choice: the drop-in for a screen.
	root.Copy(guest.Systemd+"/etc/systemd/system/pithings.service.d/screen.conf", 0o644, b.release.file(guest.ScreenDropIn))
	root.File(guest.Systemd+"/etc/machine-id", 0o644, machineID)
	root.File(guest.Systemd+"/etc/passwd", 0o644, []byte(guest.Passwd))
	root.File(guest.Systemd+"/etc/group", 0o644, []byte(guest.Group))
	for _, dir := range []string{"/etc/pithings", "/root", "/var/lib"} {
		root.Dir(guest.Systemd+dir, 0o755)
	}
	return root.Tree(guest.Systemd, b.systemd, unneeded)
}

// unneeded lists what of Debian's packages is left out: the guest's memory is
// small, and units of the system itself have nothing to do in a container.
func unneeded(name string) bool {
	for _, prefix := range []string{"usr/share/", "usr/lib/systemd/", "usr/sbin/", "var/", "etc/",
		"lib/systemd/network", "lib/udev/", "lib/modprobe.d", "usr/bin/"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	if strings.HasPrefix(name, "lib/systemd/system/") {
		return strings.HasSuffix(name, ".wants")
	}
	switch base := filepath.Base(name); {
	case strings.HasPrefix(name, "lib/systemd/systemd-"), strings.HasPrefix(name, "bin/"):
		return base != "systemctl" && base != "systemd" && base != "systemd-sysusers"
	case base == "gconv", base == "engines-3", base == "ossl-modules", base == "unpacked":
		return true
	}
	return false
}
