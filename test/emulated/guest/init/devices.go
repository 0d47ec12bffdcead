//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// rules give device nodes to groups by their subsystem, as the udev rules of
// Raspberry Pi OS do.
var rules = []struct {
	subsystem, nodes string
	gid              int
}{
	{"gpio", "/dev/gpiochip*", guest.GPIOGroup},
	{"i2c-dev", "/dev/i2c-*", guest.I2CGroup},
	{"video4linux", "/dev/video*", guest.VideoGroup},
	{"graphics", "/dev/fb*", guest.VideoGroup},
}

// watchDevices applies the rules to what is there and, from then on, to what
// appears.
func watchDevices() error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	if err := unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return err
	}
	for _, r := range rules {
		nodes, _ := filepath.Glob(r.nodes)
		for _, n := range nodes {
			if err := give(n, r.gid); err != nil {
				return err
			}
		}
	}
	go func() {
		buf := make([]byte, 16<<10)
		for {
			n, err := unix.Read(s, buf)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) {
				continue
			}
			if err != nil {
				fmt.Println(guest.MarkInit+"uevents:", err)
				return
			}
			appeared(buf[:n])
		}
	}()
	return nil
}

// appeared reads a uevent: "add@/devices/…", then KEY=value, each ended by NUL.
func appeared(event []byte) {
	var action, subsystem, name string
	for field := range bytes.SplitSeq(event, []byte{0}) {
		switch key, value, _ := strings.Cut(string(field), "="); key {
		case "ACTION":
			action = value
		case "SUBSYSTEM":
			subsystem = value
		case "DEVNAME":
			name = value
		}
	}
	for _, r := range rules {
		if action == "add" && subsystem == r.subsystem && name != "" {
			// It may have gone again.
			_ = give("/dev/"+name, r.gid)
		}
	}
}

func give(node string, gid int) error {
	return errors.Join(os.Chown(node, 0, gid), os.Chmod(node, 0o660))
}
