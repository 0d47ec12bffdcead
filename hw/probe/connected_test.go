package probe

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
	"pithings/hw/mock"
)

// listed is a board with parts of our choice, and a list of the buses that were opened.
type listed struct {
	*mock.Board
	parts hw.Parts
	buses []string
}

func (l *listed) Parts(context.Context) hw.Parts { return l.parts }

func (l *listed) OpenBus(name string) (i2c.BusCloser, error) {
	l.buses = append(l.buses, name)
	return l.Board.OpenBus(name)
}

// aPi returns a prober of a Pi with these parts and files (path, text, path, text, …).
func aPi(t *testing.T, parts hw.Parts, files ...string) (*Prober, *listed) {
	t.Helper()
	b := &listed{Board: mock.New(mock.Options{}), parts: parts}
	t.Cleanup(func() { b.Close() })
	tree := fstest.MapFS{"proc/device-tree/model": {Data: []byte("Raspberry Pi 5 Model B Rev 1.0\x00")}}
	for i := 0; i < len(files); i += 2 {
		f := &fstest.MapFile{Data: []byte(files[i+1])}
		if len(files[i+1]) > 0 && files[i+1][0] == '/' {
			f.Mode = fs.ModeSymlink
		}
		tree[files[i]] = f
	}
	return New(b, &Machine{Root: tree, UID: 1000, PID: 400}), b
}

// headerLines are all lines of the header.
func headerLines() (lines []hw.GPIOLine) {
	for n := range 28 {
		name := fmt.Sprintf("GPIO%d", n)
		lines = append(lines, hw.GPIOLine{Offset: n, Name: name, Open: name, Pin: hw.HeaderPin(n)})
	}
	return lines
}

func TestChips(t *testing.T) {
	p, b := aPi(t, hw.Parts{I2C: []hw.I2CBus{
		{Node: "/dev/i2c-1", Open: "1", Devices: []hw.I2CDevice{{Address: 0x09}, {Address: 0x23}, {Address: 0x76}}},
		{Node: "/dev/i2c-3", Open: "3", Devices: []hw.I2CDevice{{Address: 0x76, Driver: "bmp280", Name: "bme280"}}},
	}})
	c := p.Connected(t.Context())
	var got []string
	for i := range c.Chips {
		got = append(got, fmt.Sprintf("%s: %d", &c.Chips[i], len(c.Chips[i].May)))
	}
	if len(got) != 4 || got[0] != "i2c-1 0x09: 0" || c.Chips[1].Is("BH1750") || !c.Chips[2].Is("BME680 or BME688") || c.Chips[3].Is("BME280") {
		t.Errorf("%v", got)
	}
	if slices.Contains(b.buses, "3") {
		t.Error("a chip that has a driver was asked what it is")
	}
	if b.Bus("1").InUse() {
		t.Error("the bus was left open")
	}
}

// TestChipsWithoutBus: what cannot be asked may be anything with that address.
func TestChipsWithoutBus(t *testing.T) {
	p, b := aPi(t, hw.Parts{I2C: []hw.I2CBus{{Node: "/dev/i2c-1", Open: "1", Devices: []hw.I2CDevice{{Address: 0x77}}}}})
	b.Close()
	if c := p.Connected(t.Context()); len(c.Chips[0].May) < 5 {
		t.Errorf("%v", c.Chips[0].May)
	}
}

func TestWires(t *testing.T) {
	for _, tc := range []struct {
		name  string
		bus   string // of number 1
		files []string
		used  map[string]string
	}{
		{"as it comes", "", nil, map[string]string{"GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT"}},
		{"I²C on a Pi 4", "bcm2835 (i2c@7e804000)", nil, map[string]string{"GPIO2": "I²C bus 1", "GPIO3": "I²C bus 1", "GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT"}},
		{"I²C on a Pi 5", "Synopsys DesignWare I2C adapter", nil, map[string]string{"GPIO2": "I²C bus 1", "GPIO3": "I²C bus 1", "GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT"}},
		{"a USB adapter", "MCP2221 usb-i2c bridge", nil, map[string]string{"GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT"}},
		{"SPI and a serial port", "", []string{"dev/spidev0.0", "", "dev/spidev0.1", "", "dev/serial0", ""}, map[string]string{
			"GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT", "GPIO7": "SPI 0", "GPIO8": "SPI 0", "GPIO9": "SPI 0", "GPIO10": "SPI 0", "GPIO11": "SPI 0",
			"GPIO14": "the serial port", "GPIO15": "the serial port"}},
	} {
		parts := hw.Parts{GPIO: []hw.GPIOChip{{Label: "pinctrl-rp1", Lines: headerLines()}}}
		if tc.bus != "" {
			parts.I2C = []hw.I2CBus{{Node: "/dev/i2c-1", Open: "1", Adapter: tc.bus}}
		}
		p, _ := aPi(t, parts, tc.files...)
		used := map[string]string{}
		for _, l := range p.Connected(t.Context()).GPIO[0].Lines {
			if l.Used {
				used[l.Open] = l.Consumer
			}
		}
		if fmt.Sprint(used) != fmt.Sprint(tc.used) {
			t.Errorf("%s: %v, want %v", tc.name, used, tc.used)
		}
	}
}

func TestFreeLine(t *testing.T) {
	lines := headerLines()
	c := &Connected{Parts: hw.Parts{GPIO: []hw.GPIOChip{{Label: "pinctrl-rp1", Lines: lines}, {Label: "mcp23017", Lines: []hw.GPIOLine{{Name: "A0", Open: "A0"}}}}}}
	want := func(preferred, want string) {
		t.Helper()
		c.offered = nil
		if l, _ := c.FreeLine(preferred); l.Open != want {
			t.Errorf("%q, want %q", l.Open, want)
		}
	}
	want("GPIO4", "GPIO4")
	want("GPIO99", "GPIO17")
	lines[17].Used = true
	want("GPIO17", "GPIO27")
	for i := range lines {
		lines[i].Used = i != 3
	}
	want("GPIO17", "GPIO3")
	lines[3].Used = true
	want("GPIO17", "A0")
	// The same line is not offered twice.
	lines[17].Used, lines[27].Used, c.offered = false, false, nil
	for _, want := range []string{"GPIO17", "GPIO27", "A0", ""} {
		if l, ok := c.FreeLine("GPIO17"); l.Open != want || ok != (want != "") {
			t.Errorf("%q, want %q", l.Open, want)
		}
	}
	lines[17].Used, lines[27].Used, c.offered = true, true, nil
	c.GPIO[1].Lines[0].Used = true
	if l, ok := c.FreeLine("GPIO17"); ok {
		t.Errorf("%q is free", l.Open)
	}
}

func TestWirable(t *testing.T) {
	lines := []hw.GPIOLine{{Name: "A", Open: "A"}, {}, {Name: "GPIO4", Open: "GPIO4", Pin: 7}}
	for _, tc := range []struct {
		label string
		lines []hw.GPIOLine
		want  int
	}{
		{"pinctrl-rp1", lines, 1},
		{"mcp23017", lines[:2], 1},
		{"raspberrypi-exp-gpio", lines[:2], 0},
		{"gpio-brcmstb@107d508500", lines[:2], 0},
	} {
		if got := Wirable(hw.GPIOChip{Label: tc.label, Lines: tc.lines}); len(got) != tc.want {
			t.Errorf("%s: %v", tc.label, got)
		}
	}
}

func TestUsers(t *testing.T) {
	for consumer, want := range map[string]string{
		"pithings@812": "the pithings that runs now (process 812) true",
		"gpiomon":      "gpiomon false",
		"pithings":     "pithings false",
		"":             "the kernel false",
	} {
		who, ours := Consumer(hw.GPIOLine{Used: true, Consumer: consumer})
		if got := fmt.Sprint(who, " ", ours); got != want {
			t.Errorf("%q: %s, want %s", consumer, got, want)
		}
	}
	p, _ := aPi(t, hw.Parts{}, "proc/812/comm", "pithings\n", "proc/812/fd/3", "/dev/fb0", "proc/731/comm", "motion\n", "proc/731/fd/5", "/dev/video0",
		"proc/400/comm", "pithings\n", "proc/400/fd/7", "/dev/video2")
	for node, want := range map[string]string{
		"/dev/fb0":    "the pithings that runs now (process 812) true",
		"/dev/video0": "motion (process 731) false",
		"/dev/video2": " false", // this very process
	} {
		who, ours := p.Holder(t.Context(), node)
		if got := fmt.Sprint(who, " ", ours); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
}

func TestHeaderBus(t *testing.T) {
	p, _ := aPi(t, hw.Parts{})
	laptop := New(mock.New(mock.Options{}), nil)
	bus := hw.I2CBus{Node: "/dev/i2c-3", Open: "3", Adapter: "bcm2835 (i2c@fe205600)"}
	if n, ok := p.HeaderBus(bus); n != 3 || !ok {
		t.Error(n, ok)
	}
	if n, ok := laptop.HeaderBus(bus); ok {
		t.Errorf("bus %d of the header of a laptop", n)
	}
}
