// Package machine says which machine this is: for names in configurations, and so that a
// state folder knows when its card was copied.
package machine

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Machine is a machine as its files describe it.
type Machine struct {
	Root fs.FS // the file tree
	Name func() (string, error)
}

// This is the machine that the program runs on.
func This() Machine { return Machine{Root: os.DirFS("/"), Name: os.Hostname} }

// app is this program among those that derive an id from the machine's: 128 random bits,
// never to be changed.
var app = [16]byte{0x5c, 0x1b, 0x9e, 0x3d, 0x07, 0xf2, 0x4a, 0x68, 0xb1, 0x83, 0x2e, 0xd4, 0x96, 0x0f, 0x7a, 0xc5}

// maxFile bounds the files read, in bytes; /proc/cpuinfo of a Pi 4 has 1.5 KiB.
const maxFile = 64 << 10

func (m Machine) read(name string) []byte {
	f, err := m.Root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return b
}

// Hostname is the name of the machine.
func (m Machine) Hostname() (string, error) { return m.Name() }

// Serial is the serial number that the firmware puts into the device tree (Devicetree
// Specification 0.4, section 2.3: serial-number), or that kernels of Raspberry Pis have in
// /proc/cpuinfo.
func (m Machine) Serial() (string, error) {
	for _, name := range []string{"proc/device-tree/serial-number", "sys/firmware/devicetree/base/serial-number"} {
		if s := strings.Trim(string(m.read(name)), "\x00 \n"); s != "" {
			return s, nil
		}
	}
	for line := range strings.Lines(string(m.read("proc/cpuinfo"))) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "Serial" && strings.Trim(value, " \t\n0") != "" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", errors.New("this machine's firmware gives no serial number")
}

// Model is what the firmware calls the board in the device tree (Devicetree Specification 0.4,
// section 2.3: model), such as "Raspberry Pi 4 Model B Rev 1.4"; "" if it says nothing.
func (m Machine) Model() string {
	for _, name := range []string{"proc/device-tree/model", "sys/firmware/devicetree/base/model"} {
		if s := strings.Trim(string(m.read(name)), "\x00 \n"); s != "" {
			return s
		}
	}
	return ""
}

// ID is this program's id for the machine: derived from /etc/machine-id, which is not to
// leave the machine, in the way of sd_id128_get_machine_app_specific(3): HMAC-SHA256 of the
// program's id, the first 16 bytes, as a UUID of version 4.
func (m Machine) ID() (string, error) {
	id, err := hex.DecodeString(string(bytes.TrimSpace(m.read("etc/machine-id"))))
	if err != nil || len(id) != 16 {
		return "", errors.New("this machine has no /etc/machine-id; make one with: sudo systemd-machine-id-setup")
	}
	return derive(id), nil
}

func derive(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(app[:])
	sum := h.Sum(nil)[:16]
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return hex.EncodeToString(sum)
}

// Mark distinguishes machines, and is "" if nothing does. A copied card brings /etc/machine-id
// along, so that the serial number decides where there is one.
func (m Machine) Mark() string {
	if s, err := m.Serial(); err == nil {
		return derive([]byte(s))
	}
	id, err := m.ID()
	if err != nil {
		return ""
	}
	return id
}
