//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// rule gives the nodes of some devices to a group.
type rule struct {
	subsystem, kernel string // of the devices: "" for any; a pattern of their names
	gid               int
	mode              os.FileMode
}

// readRules reads udev rules of the form that the project's own have (udev(7)): what else
// udev knows is an error.
func readRules(text string) (rules []rule, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r := rule{kernel: "*"}
		for field := range strings.SplitSeq(line, ", ") {
			var at int
			if at = strings.IndexByte(field, '"'); at < 0 {
				return nil, fmt.Errorf("udev rule %s: no value in %s", line, field)
			}
			value, err := strconv.Unquote(field[at:])
			if err == nil {
				switch field[:at] {
				case "SUBSYSTEM==":
					r.subsystem = value
				case "KERNEL==":
					r.kernel = value
				case "GROUP=":
					var g *user.Group
					if g, err = user.LookupGroup(value); err == nil {
						r.gid, err = strconv.Atoi(g.Gid)
					}
				case "MODE=":
					var mode uint64
					mode, err = strconv.ParseUint(value, 8, 9)
					r.mode = os.FileMode(mode)
				default:
					err = errors.New("this key is not known here")
				}
			}
			if err != nil {
				return nil, fmt.Errorf("udev rule %s: %s: %w", line, field, err)
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// watchDevices applies the project's udev rules to the devices that there are and, from
// then on, to those that appear.
func watchDevices() error {
	text, err := os.ReadFile(guest.RulesFile)
	if err != nil {
		return err
	}
	rules, err := readRules(string(text))
	if err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	if err := unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return err
	}
	for _, pattern := range []string{"/sys/class/*/*", "/sys/bus/*/devices/*"} {
		devices, _ := filepath.Glob(pattern) // the pattern is right
		for _, d := range devices {
			subsystem, _ := os.Readlink(d + "/subsystem")
			uevent, _ := os.ReadFile(d + "/uevent")
			if err := give(rules, path.Base(subsystem), valueOf(bytes.Split(uevent, []byte("\n")), "DEVNAME")); err != nil {
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
			// A uevent: "add@/devices/…", then KEY=value, each ended by NUL.
			fields := bytes.Split(buf[:n], []byte{0})
			if valueOf(fields, "ACTION") == "add" {
				// It may have gone again.
				_ = give(rules, valueOf(fields, "SUBSYSTEM"), valueOf(fields, "DEVNAME"))
			}
		}
	}()
	return nil
}

// valueOf is the value of a key among fields KEY=value; "" if it is not there.
func valueOf(fields [][]byte, key string) string {
	for _, f := range fields {
		if k, value, ok := bytes.Cut(f, []byte("=")); ok && string(k) == key {
			return string(value)
		}
	}
	return ""
}

// give applies the rules to a device with a node.
func give(rules []rule, subsystem, node string) error {
	if node == "" {
		return nil
	}
	for _, r := range rules {
		if fits, err := path.Match(r.kernel, path.Base(node)); err != nil {
			return err
		} else if fits && (r.subsystem == "" || r.subsystem == subsystem) {
			name := "/dev/" + node
			if err := errors.Join(os.Chown(name, 0, r.gid), os.Chmod(name, r.mode)); err != nil {
				return err
			}
		}
	}
	return nil
}
