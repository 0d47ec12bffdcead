package pi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// chips is a bus for the search. It notes how each address was asked.
type chips struct {
	there  map[uint16]error // what an address answers; it does not when it is not there
	taken  map[uint16]bool  // by a kernel driver
	at     uint16
	asked  map[uint16]string
	takes  time.Duration // each answer
	before func(address uint16)
}

func (c *chips) choose(address uint16) error {
	if c.before != nil {
		c.before(address)
	}
	if c.at = address; c.taken[address] {
		return unix.EBUSY
	}
	return nil
}

func (c *chips) quick() error    { return c.answer("quick") }
func (c *chips) readByte() error { return c.answer("read") }

func (c *chips) answer(how string) error {
	c.asked[c.at] += how
	time.Sleep(c.takes)
	if err, ok := c.there[c.at]; ok {
		return err
	}
	return unix.EREMOTEIO
}

func TestBusesAreAskedAsI2cdetectDoes(t *testing.T) {
	const both = i2cFuncQuick | i2cFuncReadByte
	for _, row := range []struct {
		name  string
		funcs uintptr
		want  func(address uint16) string
	}{
		{"quick and read", both, func(a uint16) string {
			if a >= 0x30 && a <= 0x37 || a >= 0x50 && a <= 0x5f {
				return "read"
			}
			return "quick"
		}},
		{"quick only", i2cFuncQuick, func(a uint16) string {
			if a >= 0x30 && a <= 0x37 || a >= 0x50 && a <= 0x5f {
				return ""
			}
			return "quick"
		}},
		{"read only", i2cFuncReadByte, func(a uint16) string {
			if a == 0x69 {
				return ""
			}
			return "read"
		}},
		{"neither", 0, func(uint16) string { return "" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &chips{asked: map[uint16]string{}}
			if devices, err := search(t.Context(), row.funcs, c); err != nil || len(devices) != 0 {
				t.Errorf("an empty bus has %v (%v)", devices, err)
			}
			for a := range uint16(0x80) {
				want := ""
				if a >= 0x08 && a <= 0x77 {
					want = row.want(a)
				}
				if c.asked[a] != want {
					t.Errorf("%#02x was asked %q, want %q", a, c.asked[a], want)
				}
			}
		})
	}
}

func TestSearchOfABus(t *testing.T) {
	all := map[uint16]error{}
	for a := range uint16(0x80) {
		all[a] = unix.ETIMEDOUT
	}
	for _, row := range []struct {
		name  string
		there map[uint16]error
		takes time.Duration
		want  []uint16
		err   error
	}{
		{"two chips, one with a driver", map[uint16]error{0x76: nil, 0x50: nil}, ms, []uint16{0x50, 0x68, 0x76}, nil},
		{"a chip that stretches the clock too long", map[uint16]error{0x20: unix.ETIMEDOUT, 0x76: nil}, time.Second, []uint16{0x68, 0x76}, nil},
		{"a bus that hangs", all, time.Second, nil, unix.ETIMEDOUT},
		{"an adapter that calls no answer a time-out", all, ms, []uint16{0x68}, nil},
		{"an adapter that is unplugged", map[uint16]error{0x10: nil, 0x20: unix.ENODEV}, ms, []uint16{0x10}, hw.ErrGone},
	} {
		synctestRun(t, row.name, func(t *testing.T) {
			c := &chips{there: row.there, takes: row.takes, taken: map[uint16]bool{0x68: true}, asked: map[uint16]string{}}
			devices, err := search(t.Context(), i2cFuncQuick|i2cFuncReadByte, c)
			var got []uint16
			for _, d := range devices {
				if got = append(got, d.Address); (d.Driver != "") != (d.Address == 0x68) {
					t.Errorf("%#02x has the driver %q", d.Address, d.Driver)
				}
			}
			if !slices.Equal(got, row.want) || !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
				t.Errorf("found %#02x (%v), want %#02x (%v)", got, err, row.want, row.err)
			}
			if c.asked[0x68] != "" {
				t.Error("a chip that a driver uses was asked")
			}
			if row.err == unix.ETIMEDOUT && len(c.asked) != maxI2CTimeouts {
				t.Errorf("a bus that hangs was asked %d times", len(c.asked))
			}
		})
	}
	synctestRun(t, "the end of the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &chips{there: map[uint16]error{0x10: nil}, asked: map[uint16]string{}, before: func(a uint16) {
			if a == 0x20 {
				cancel()
			}
		}}
		devices, err := search(ctx, i2cFuncQuick, c)
		if !errors.Is(err, context.Canceled) || len(devices) != 1 || len(c.asked) != 0x20-0x08+1 {
			t.Errorf("%d addresses asked, %v (%v)", len(c.asked), devices, err)
		}
	})
}

const ms = time.Millisecond

// synctestRun runs a test in a bubble, where answers take no time.
func synctestRun(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestKernelDevicesAreNamed(t *testing.T) {
	sys := t.TempDir()
	dir := filepath.Join(sys, "bus/i2c/devices/1-0068")
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/name", []byte("ds3231\n"), 0o644),
		os.Symlink("../../drivers/rtc-ds1307", dir+"/driver"))
	if err != nil {
		t.Fatal(err)
	}
	if driver, name := kernelDevice(sys, 1, 0x68); driver != "rtc-ds1307" || name != "ds3231" {
		t.Errorf("driver %q, name %q", driver, name)
	}
	if driver, name := kernelDevice(sys, 1, 0x69); driver == "" || name != "" {
		t.Errorf("driver %q, name %q", driver, name)
	}
}

func TestLinesOfAHeaderHaveTheirPins(t *testing.T) {
	pi := named("gpiochip0", "pinctrl-bcm2711", schematic...)
	pi.lines[14].used, pi.lines[14].consumer, pi.lines[14].output = true, "serial", true
	other := named("gpiochip1", "raspberrypi-exp-gpio", "BT_ON", "-", "GPIO4", "twice", "twice")
	all := []gpioChip{pi, other}

	lines := lineParts("Raspberry Pi 4 Model B Rev 1.4", all, pi)
	for n, want := range map[int]hw.GPIOLine{
		4:  {Offset: 4, Name: "GPIO_GCLK", Open: "GPIO4", Pin: 7},
		14: {Offset: 14, Name: "TXD1", Open: "GPIO14", Pin: 8, Used: true, Consumer: "serial", Output: true},
		27: {Offset: 27, Name: "GPIO27", Open: "GPIO27", Pin: 13},
		28: {Offset: 28, Name: "RGMII_MDIO", Open: "RGMII_MDIO"},
		45: {Offset: 45},
	} {
		if lines[n] != want {
			t.Errorf("line %d is %+v, want %+v", n, lines[n], want)
		}
	}
	for i, want := range []hw.GPIOLine{
		{Offset: 0, Name: "BT_ON", Open: "BT_ON"},
		{Offset: 1},
		{Offset: 2, Name: "GPIO4", Open: "raspberrypi-exp-gpio:GPIO4"},
		{Offset: 3, Name: "twice"},
		{Offset: 4, Name: "twice"},
	} {
		if got := lineParts("Raspberry Pi 4 Model B Rev 1.4", all, other)[i]; got != want {
			t.Errorf("line %d of the expander is %+v, want %+v", i, got, want)
		}
	}
}

func TestHeadersOfModels(t *testing.T) {
	pi := named("gpiochip0", "pinctrl-bcm2835", header...)
	for model, want := range map[string]int{
		"Raspberry Pi 5 Model B Rev 1.0":        28,
		"Raspberry Pi Zero 2 W Rev 1.0":         28,
		"Raspberry Pi Model B Plus Rev 1.2":     28,
		"Raspberry Pi 400 Rev 1.0":              28,
		"Raspberry Pi Compute Module 4 Rev 1.0": 28,
		"Raspberry Pi Compute Module 5 Rev 1.0": 28,
		"Raspberry Pi Compute Module 3 Rev 1.0": 0,
		"Raspberry Pi Compute Module Rev 1.0":   0,
		"Raspberry Pi Model B Rev 2":            17,
		"Raspberry Pi Model A Rev 2":            17,
		"Raspberry Pi Model B Rev 1":            0,
		"Linux arm64 machine":                   0,
		"":                                      0,
	} {
		pins := 0
		for _, l := range lineParts(model, []gpioChip{pi}, pi) {
			if l.Pin > 0 {
				pins++
			}
		}
		if pins != want {
			t.Errorf("%q has %d lines on its header, want %d", model, pins, want)
		}
	}
}

func TestNodesAndTheirLinks(t *testing.T) {
	dir := t.TempDir()
	link := func(name, to string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{10, 2, 0} {
		link(fmt.Sprintf("video%d", n), "/dev/null")
	}
	link("video-codec", "/dev/null")
	link("video3x", "/dev/null")
	link("video7", "gone")
	if err := os.WriteFile(filepath.Join(dir, "video1"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes(filepath.Join(dir, "video")) {
		got = append(got, filepath.Base(n))
	}
	if want := []string{"video0", "video2", "video10"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
	if links := videoLinks(dir); links["/dev/null"] != filepath.Join(dir, "video-codec") || links["gone"] != "" {
		t.Errorf("links %v", links)
	}
}

// Parts must cope with whatever this machine has.
func TestPartsOfThisMachine(t *testing.T) {
	b := &Board{busyOn: map[int]*sync.Mutex{}}
	p := b.Parts(t.Context())
	for _, v := range p.Video {
		if v.Node == "" || v.Open == "" || v.Err == nil && len(v.Formats) == 0 {
			t.Errorf("%+v", v)
		}
	}
	for _, f := range p.Framebuffers {
		if f.Err == nil && f.Geometry.Validate() != nil {
			t.Errorf("%+v", f)
		}
	}
}
