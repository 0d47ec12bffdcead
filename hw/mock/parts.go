package mock

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"pithings/hw"
)

// chipLabel is the simulated GPIO chip's.
const chipLabel = "simulated-gpio"

// headerLines is how many lines of a Pi are on its header: GPIO0 to GPIO27.
const headerLines = 28

// Parts implements [hw.Board]: the lines of a Pi's header, a bus, a serial port, a
// camera and a screen, and whatever else was asked for by name. Parts that were unplugged are not
// listed.
func (b *Board) Parts(ctx context.Context) hw.Parts {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return hw.Parts{}
	}
	b.bus("1")
	first(b.videos, "/dev/video0", b.newVideo)
	first(b.framebuffers, "/dev/fb0", b.newFramebuffer)

	var p hw.Parts
	chip := simulatedChip()
	chip.Lines = b.lines()
	p.GPIO = []hw.GPIOChip{chip}
	for _, name := range slices.Sorted(maps.Keys(b.buses)) {
		if bus := b.buses[name]; bus.there() {
			p.I2C = append(p.I2C, bus.listed(ctx))
		}
	}
	b.modbus("/dev/ttyUSB0")
	for _, name := range slices.Sorted(maps.Keys(b.devices)) {
		// Those at network addresses are not connected to the board.
		if m := b.devices[name]; strings.HasPrefix(name, "/") && m.there() {
			p.Serial = append(p.Serial, hw.SerialPart{Node: name, Open: name, Title: name + " (simulated)"})
		}
	}
	for _, v := range present(b.videos) {
		p.Video = append(p.Video, v.listed())
	}
	for _, f := range present(b.framebuffers) {
		p.Framebuffers = append(p.Framebuffers, f.listed())
	}
	return p
}

// Line implements [hw.Board]. Of several lines called "mock" it is the first.
func (b *Board) Line(name string) (chip hw.GPIOChip, line hw.GPIOLine, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(name); err != nil {
		return chip, line, err
	}
	pin := first(b.pins, name, b.newPin)
	if !pin.there() {
		return chip, line, pin.missing()
	}
	for _, line = range b.lines() {
		if line.Name == pin.name {
			break
		}
	}
	return simulatedChip(), line, nil
}

func simulatedChip() hw.GPIOChip { return hw.GPIOChip{Node: "/dev/gpiochip0", Label: chipLabel} }

// lines lists the lines, those of the header first.
func (b *Board) lines() (lines []hw.GPIOLine) {
	for n := range headerLines {
		first(b.pins, lineName(n), b.newPin)
	}
	for _, pin := range present(b.pins) {
		lines = append(lines, pin.listed())
	}
	sort.Slice(lines, func(i, j int) bool {
		a, b := lines[i].Name, lines[j].Name
		return cmp.Or(cmp.Compare(headerNumber(a), headerNumber(b)), cmp.Compare(a, b)) < 0
	})
	for i := range lines {
		lines[i].Offset = i
	}
	return lines
}

func lineName(n int) string { return "GPIO" + strconv.Itoa(n) }

// headerNumber is n of GPIOn; other names come after these.
func headerNumber(name string) int {
	digits, ok := strings.CutPrefix(name, "GPIO")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n >= headerLines {
		return headerLines
	}
	return n
}

// present returns the parts that are not unplugged, by their names.
func present[P interface{ there() bool }](parts map[string][]P) (there []P) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		for _, p := range parts[name] {
			if p.there() {
				there = append(there, p)
			}
		}
	}
	return there
}

// there reports whether the part is not unplugged.
func (p *part) there() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.gone
}

func (p *Pin) listed() hw.GPIOLine {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := hw.GPIOLine{Name: p.name, Open: p.name, Output: p.output != nil, Used: p.holder != "" || p.opened > 0, Consumer: p.holder}
	if l.Used && l.Consumer == "" {
		l.Consumer = "pithings"
	}
	if n := headerNumber(p.name); n < headerLines {
		l.Pin = hw.HeaderPin(n)
	}
	return l
}

func (s *Bus) listed(ctx context.Context) hw.I2CBus {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := hw.I2CBus{Node: "/dev/i2c-" + s.name, Open: s.name, Adapter: "simulated"}
	switch {
	case ctx.Err() != nil:
		p.Err = fmt.Errorf("%s: not searched: %w", p.Node, context.Cause(ctx))
	case s.hangs:
		p.Err = fmt.Errorf("%s: %w", p.Node, ErrTimeout)
	case s.nacks == 0:
		for _, address := range slices.Sorted(maps.Keys(s.targets)) {
			p.Devices = append(p.Devices, hw.I2CDevice{Address: address})
		}
	}
	return p
}

func (v *Video) listed() hw.VideoPart {
	v.mu.Lock()
	defer v.mu.Unlock()
	// Its formats can be read while another program has it.
	h := &videoHandle{video: v, life: v.life}
	p := hw.VideoPart{Node: v.name, Open: v.name, Title: h.String()}
	if v.options.NoCapture {
		p.Err = v.noCapture()
		return p
	}
	p.Formats = v.options.offered()
	return p
}

func (f *Framebuffer) listed() hw.FramebufferPart {
	f.mu.Lock()
	defer f.mu.Unlock()
	return hw.FramebufferPart{Node: f.name, Title: f.name + " (simulated)", Geometry: f.geometry, Err: f.geometry.Validate()}
}
