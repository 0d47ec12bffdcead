package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"pithings/hw"
	"pithings/hw/chips"
)

// Connected is what is connected to a board at a moment.
type Connected struct {
	hw.Parts
	Chips []Chip // on the I²C buses, in their order
	// Kernel is the folder in which the kernel shows the sensors that it drives; nil if the
	// board has none.
	Kernel fs.FS

	offered map[string]bool // lines that FreeLine has returned
}

// Chip is a chip on an I²C bus.
type Chip struct {
	hw.I2CDevice
	Bus string // the name that OpenBus takes
	// May lists what it may be: one kind if it says what it is, none if no chip with its
	// address is known.
	May []chips.Chip
}

// String names the chip by where it is: "i2c-1 0x76".
func (c *Chip) String() string { return fmt.Sprintf("i2c-%s %#02x", c.Bus, c.Address) }

// Is reports whether the chip says that it is a chip of this name.
func (c *Chip) Is(name string) bool { return len(c.May) == 1 && c.May[0].Name == name }

// Connected looks at the parts of the board, and asks the chips on its I²C buses what they
// are, as far as that is safe (see chips.Identify). Chips that a kernel driver uses are
// left alone.
func (p *Prober) Connected(ctx context.Context) *Connected {
	c := &Connected{Parts: p.Board.Parts(ctx)}
	for _, bus := range c.I2C {
		for _, d := range bus.Devices {
			c.Chips = append(c.Chips, Chip{I2CDevice: d, Bus: bus.Open})
		}
	}
	for i := range c.Chips {
		c.Chips[i].May = p.identify(ctx, &c.Chips[i])
	}
	p.nameWires(c)
	if root, err := p.Board.Sysfs(""); err == nil {
		c.Kernel = root
	}
	return c
}

// identify returns what a chip may be.
func (p *Prober) identify(ctx context.Context, c *Chip) []chips.Chip {
	may := chips.At(c.Address)
	if c.Driver != "" || ctx.Err() != nil {
		return may
	}
	b, err := p.Board.OpenBus(c.Bus)
	if err != nil {
		return may
	}
	defer b.Close()
	may, _ = chips.Identify(b, c.Address) // without an answer it is as if it had not been asked
	return may
}

// FreeLine returns a line that is free and that it has not returned before: the preferred one,
// one of the header that has no other use on most boards, or any. So kinds of things offer
// different lines, and a configuration can have all of them.
func (c *Connected) FreeLine(preferred string) (line hw.GPIOLine, ok bool) {
	var free []hw.GPIOLine
	for _, chip := range c.GPIO {
		for _, l := range Wirable(chip) {
			if !l.Used && !c.offered[l.Open] {
				free = append(free, l)
			}
		}
	}
	if len(free) == 0 {
		return line, false
	}
	line = free[0]
	for _, name := range append([]string{preferred}, plainLines...) {
		if i := slices.IndexFunc(free, func(l hw.GPIOLine) bool { return l.Open == name }); i >= 0 {
			line = free[i]
			break
		}
	}
	if c.offered == nil {
		c.offered = map[string]bool{}
	}
	c.offered[line.Open] = true
	return line, true
}

// Wirable returns the lines of a chip to which parts can be wired: those of the header, and
// those of chips that were added, as expanders and USB bridges. The other lines of a board are
// wired on it.
func Wirable(chip hw.GPIOChip) (lines []hw.GPIOLine) {
	onHeader := func(l hw.GPIOLine) bool { return l.Pin > 0 }
	header := slices.ContainsFunc(chip.Lines, onHeader)
	for _, l := range chip.Lines {
		if l.Open != "" && (onHeader(l) || !header && !slices.ContainsFunc(internal, func(label string) bool { return strings.HasPrefix(chip.Label, label) })) {
			lines = append(lines, l)
		}
	}
	return lines
}

// internal are labels of chips whose lines are wired on the board: the expander that the
// firmware drives, and the lines of a Pi 5's processor (its header is on the RP1).
var internal = []string{"raspberrypi-exp-gpio", "brcmvirt-gpio", "gpio-brcmstb@"}

// plainLines are the lines of the header that are neither I²C, SPI, serial port, PCM nor
// 1-wire on a board as it comes.
var plainLines = []string{"GPIO17", "GPIO27", "GPIO22", "GPIO23", "GPIO24", "GPIO25", "GPIO5", "GPIO6", "GPIO16", "GPIO26", "GPIO12", "GPIO13"}

// headerBus is how the kernel names the adapters of the header's buses: bcm2835 up to the
// Pi 4, Synopsys DesignWare on a Pi 5.
var headerBus = regexp.MustCompile(`^(bcm2835|Synopsys DesignWare)`)

// HeaderBus returns the number of an I²C bus of a Raspberry Pi's header, which device tree
// overlays can name.
func (p *Prober) HeaderBus(bus hw.I2CBus) (n int, ok bool) {
	if !p.IsPi() || !headerBus.MatchString(bus.Adapter) {
		return 0, false
	}
	n = Number(bus.Node)
	return n, n >= 0
}

// nameWires marks the lines of the header that are the wires of something else. The kernel
// reports a line as free then: who uses the pin is known to the pin controller, which
// shows it to root only.
func (p *Prober) nameWires(c *Connected) {
	users := map[string]string{"GPIO0": "the EEPROM of a HAT", "GPIO1": "the EEPROM of a HAT"}
	for _, bus := range c.I2C {
		if n, ok := p.HeaderBus(bus); ok && n == 1 {
			users["GPIO2"], users["GPIO3"] = "I²C bus 1", "I²C bus 1"
		}
	}
	for _, one := range []struct {
		node, user string
		lines      []string
	}{
		{"/dev/spidev0.0", "SPI 0", []string{"GPIO8", "GPIO9", "GPIO10", "GPIO11"}},
		{"/dev/spidev0.1", "SPI 0", []string{"GPIO7"}},
		{"/dev/serial0", "the serial port", []string{"GPIO14", "GPIO15"}},
	} {
		if p.Files.Exists(one.node) {
			for _, l := range one.lines {
				users[l] = one.user
			}
		}
	}
	for _, chip := range c.GPIO {
		for i := range chip.Lines {
			l := &chip.Lines[i]
			if who := users[l.Open]; who != "" && l.Pin > 0 && !l.Used {
				l.Used, l.Consumer = true, who
			}
		}
	}
}

// CSICamera returns why the camera on the CSI connector cannot be used, or nil if there is
// none.
func (p *Prober) CSICamera(c *Connected) error {
	node := p.csiNode()
	for _, v := range c.Video {
		if v.Node == node && errors.Is(v.Err, hw.ErrUnsupported) {
			return v.Err
		}
	}
	return nil
}

// Holder returns which other program has a device node open, "" if none is seen, and whether
// it is an agent of ours.
func (p *Prober) Holder(ctx context.Context, node string) (who string, ours bool) {
	others := p.others(ctx, node)
	if len(others) == 0 {
		return "", false
	}
	if one := others[0]; one.Name != own {
		return fmt.Sprintf("%s (process %d)", one.Name, one.PID), false
	}
	return fmt.Sprintf("the pithings that runs now (process %d)", others[0].PID), true
}

// Consumer returns who holds a GPIO line that is used, and whether it is a process of ours,
// which signs with "pithings@PID".
func Consumer(l hw.GPIOLine) (who string, ours bool) {
	if name, pid, ok := strings.Cut(l.Consumer, "@"); ok && name == own {
		return fmt.Sprintf("the pithings that runs now (process %s)", pid), true
	}
	return cmp.Or(l.Consumer, "the kernel"), false
}
