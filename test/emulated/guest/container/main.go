//go:build linux

// Container runs Debian's systemd as the first process of a container, so that
// it starts units with all their restrictions: it is the real one, and shares
// the kernel, the devices and the network with the tests.
//
// It has to be started in a control group of its own, and in new namespaces
// (CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWCGROUP), where it is process 1; systemd
// takes its place. What systemd says goes to the pipe guest.SystemdConsole.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("container: ")
	log.Fatal(enter())
}

func enter() error {
	if pid := os.Getpid(); pid != 1 {
		return fmt.Errorf("this is process %d, want 1: start it in new namespaces", pid)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	for _, m := range []struct {
		source, on, kind string
		flags            uintptr
	}{
		{guest.Systemd, "", "", unix.MS_BIND},
		{"proc", "proc", "proc", 0},
		{"/sys", "sys", "", unix.MS_BIND},
		{"/dev", "dev", "", unix.MS_BIND | unix.MS_REC},
		// systemd sets terminals to rights that it writes to: not our console.
		{guest.SystemdConsole, "dev/console", "", unix.MS_BIND},
		{"cgroup2", "sys/fs/cgroup", "cgroup2", 0}, // of the group that we are in
		{"tmpfs", "run", "tmpfs", 0},
		{"tmpfs", "tmp", "tmpfs", 0},
	} {
		on := filepath.Join(guest.Systemd, m.on)
		if err := os.MkdirAll(on, 0o755); err != nil && m.source != guest.SystemdConsole {
			return err
		}
		if err := unix.Mount(m.source, on, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", on, err)
		}
	}
	// The first file system cannot be pivoted away; it is covered instead.
	if err := os.Chdir(guest.Systemd); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	const systemd = "/lib/systemd/systemd"
	return unix.Exec(systemd, append([]string{systemd}, os.Args[1:]...),
		[]string{"container=pithings-test", "PATH=/usr/bin:/bin", "LANG=C.UTF-8"})
}
