//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// interfaceUp brings a network interface up, with an IPv4 address in a network
// of 256 unless that is empty.
func interfaceUp(name, address string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if address != "" {
		ip, err := netip.ParseAddr(address)
		if err != nil {
			return err
		}
		for _, set := range []struct {
			request uint
			to      []byte
		}{{unix.SIOCSIFADDR, ip.AsSlice()}, {unix.SIOCSIFNETMASK, []byte{255, 255, 255, 0}}} {
			if err := r.SetInet4Addr(set.to); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(s, set.request, r); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// mountDisk mounts the disk. After a power cut this is where the kernel replays
// the journal.
func mountDisk(device string) error {
	if err := os.MkdirAll(guest.Disk, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(device, guest.Disk, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", device, err)
	}
	return nil
}

// unmountDisk leaves the file system as after an orderly shutdown.
func unmountDisk(con *console) {
	unix.Sync()
	err := unix.Unmount(guest.Disk, 0)
	if errors.Is(err, unix.EBUSY) { // a program was left behind
		err = unix.Mount("", guest.Disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if err != nil {
		con.say(guest.MarkInit + "failed: unmount the disk: " + err.Error())
	}
}
