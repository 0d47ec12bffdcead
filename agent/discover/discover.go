package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/hw"
	"pithings/hw/chips"
	"pithings/hw/probe"
	"pithings/sensors/kernel"
)

// Options say what is looked at.
type Options struct {
	Prober *probe.Prober
	// Owners are those who have things on this machine.
	Owners []Owner
	// Limit is how long the parts may take to answer, 30 s when zero: an I²C bus that hangs
	// needs several time-outs of a second.
	Limit time.Duration
}

// The groups of parts, in the order in which they are shown.
const (
	groupGPIO   = "gpio"
	groupI2C    = "i2c"
	groupSerial = "serial"
	groupVideo  = "video"
	groupFB     = "framebuffer"
	groupLinux  = "linux"
	groupOther  = "other"
)

// Report is what is connected.
type Report struct {
	Board string `json:"board"`
	// Configs are the files of the configurations that were compared.
	Configs []string `json:"configs"`
	// Buses are the places of parts: GPIO chips and I²C buses.
	Buses []Bus  `json:"buses"`
	Parts []Part `json:"parts"`
}

// Bus is a GPIO chip or an I²C bus.
type Bus struct {
	Group   string `json:"group"`
	Name    string `json:"name"`  // "pinctrl-rp1", "1"
	Found   string `json:"found"` // what it is
	Problem string `json:"problem,omitempty"`
	Fix     string `json:"fix,omitempty"`

	denied bool
}

// Part is one part that is connected.
type Part struct {
	Group   string    `json:"group"`
	Bus     string    `json:"bus,omitempty"`     // the name of its bus
	Name    string    `json:"name"`              // "GPIO17", "i2c-1 0x76", "/dev/video0"
	Found   string    `json:"found"`             // what it is
	Pin     int       `json:"pin,omitempty"`     // of the 40-pin header
	Address string    `json:"address,omitempty"` // "0x76"
	May     []Chip    `json:"may,omitempty"`     // what a chip may be
	Used    string    `json:"used,omitempty"`    // by what
	Thing   string    `json:"thing,omitempty"`   // the thing that a configuration makes of it
	Problem string    `json:"problem,omitempty"`
	Fix     string    `json:"fix,omitempty"`
	Things  []Suggest `json:"things,omitempty"` // things that can be made of it

	denied bool
	ours   bool // a process of ours uses it
}

// Chip is what the chip at an address may be.
type Chip struct {
	Name string `json:"name"`
	What string `json:"what"`
	// ConfigTxt is the line of a Raspberry Pi's config.txt with which Linux drives it,
	// Command the command that has the same effect until the next start.
	ConfigTxt string `json:"config_txt,omitempty"`
	Command   string `json:"command,omitempty"`
	// Sensor says that Linux makes a sensor of it.
	Sensor bool `json:"sensor"`
}

// Suggest is a thing that can be made of a part.
type Suggest struct {
	Name string `json:"name"`
	Type string `json:"type"`
	YAML string `json:"yaml"` // its line in the list things
	// Drives says that the thing drives what is wired to the part, which has to be known first.
	Drives bool `json:"drives,omitempty"`
}

// Look looks at the parts of a board. An error means that ctx ended, or that a driver hangs.
func Look(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Board: o.Prober.Board.String(), Configs: []string{}, Buses: []Bus{}, Parts: []Part{}}
	for _, owner := range o.Owners {
		if owner.Config != "" {
			r.Configs = append(r.Configs, owner.Config)
		}
	}
	c, err := connected(ctx, o)
	if err != nil {
		return nil, err
	}
	r.gpio(c.Connected)
	r.chips(o.Prober, c.Connected)
	r.ports(ctx, o.Prober, c.Connected)
	r.cameras(ctx, o.Prober, c.Connected)
	r.screens(ctx, o.Prober, c.Connected)
	r.sensors(c)
	r.own(o.Owners, o.Prober, c.Connected, nil) // what has a line, before lines are offered
	known := candidates(c.Connected)
	r.add(known)
	r.own(o.Owners, o.Prober, c.Connected, known)
	r.suggest(o.Owners, known)
	return r, ctx.Err()
}

// found is what is connected, with the sensors of the kernel.
type found struct {
	*probe.Connected
	sensors []kernel.Sensor
	err     error // of sensors
}

// connected looks at the parts, but not for longer than they may take. A call that hangs in the
// kernel cannot be ended, so its goroutine ends when the kernel returns.
func connected(ctx context.Context, o Options) (found, error) {
	limit := o.Limit
	if limit <= 0 {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan found, 1)
	go func() {
		f := found{Connected: o.Prober.Connected(ctx)}
		if f.Kernel != nil {
			f.sensors, f.err = kernel.List(f.Kernel)
		}
		done <- f
	}()
	select {
	case c := <-done:
		return c, nil
	case <-ctx.Done():
	}
	// What has an end returns soon after ctx, with what was found until then.
	grace := time.NewTimer(5 * time.Second)
	defer grace.Stop()
	select {
	case c := <-done:
		return c, nil
	case <-grace.C:
		return found{}, fmt.Errorf("no answer within %v: a device or its driver hangs; pithings doctor says which, or dmesg", limit)
	}
}

// Denied counts the parts that this user may not look at.
func (r *Report) Denied() (n int) {
	for _, b := range r.Buses {
		if b.denied {
			n++
		}
	}
	for _, p := range r.Parts {
		if p.denied {
			n++
		}
	}
	return n
}

// part returns the part of that name, or nil.
func (r *Report) part(name string) *Part {
	for i := range r.Parts {
		if r.Parts[i].Name == name {
			return &r.Parts[i]
		}
	}
	return nil
}

// fail notes why a part could not be looked at.
func fail(err error) (problem, fix string, denied bool) {
	problem, fix = probe.Advice(err.Error())
	return problem, fix, errors.Is(err, hw.ErrPermission)
}

// gpio lists the lines of the header, and those of chips that were added: expanders and USB
// bridges. The other lines of a board are wired on it.
func (r *Report) gpio(c *probe.Connected) {
	for _, chip := range c.GPIO {
		b := Bus{Group: groupGPIO, Name: chip.Label, Found: chip.Node}
		if chip.Err != nil {
			b.Name = chip.Node
			b.Problem, b.Fix, b.denied = fail(chip.Err)
		}
		lines := probe.Wirable(chip)
		if len(lines) == 0 && chip.Err == nil {
			continue
		}
		r.Buses = append(r.Buses, b)
		for _, l := range lines {
			p := Part{Group: groupGPIO, Bus: b.Name, Name: l.Open, Found: "GPIO line", Pin: l.Pin}
			if l.Pin > 0 {
				p.Found = fmt.Sprintf("pin %d of the header", l.Pin)
			}
			if l.Used {
				p.Used, p.ours = probe.Consumer(l)
			}
			r.Parts = append(r.Parts, p)
		}
	}
}

// shown is how many chips that one may be are named.
const shown = 3

// chips lists the chips on the I²C buses.
func (r *Report) chips(p *probe.Prober, c *probe.Connected) {
	for _, bus := range c.I2C {
		b := Bus{Group: groupI2C, Name: bus.Open, Found: bus.Adapter}
		if bus.Err != nil {
			b.Problem, b.Fix, b.denied = fail(bus.Err)
		}
		r.Buses = append(r.Buses, b)
	}
	for i := range c.Chips {
		r.Parts = append(r.Parts, chipPart(p, c, &c.Chips[i]))
	}
}

func chipPart(p *probe.Prober, c *probe.Connected, chip *probe.Chip) Part {
	part := Part{Group: groupI2C, Bus: chip.Bus, Name: chip.String(), Address: fmt.Sprintf("%#02x", chip.Address)}
	if chip.Driver != "" {
		part.Found = cmp.Or(chip.Name, "a chip")
		part.Used = "Linux's driver " + chip.Driver
		return part
	}
	header := -1
	number := 0
	for _, bus := range c.I2C {
		if bus.Open != chip.Bus {
			continue
		}
		number = probe.Number(bus.Node)
		if n, ok := p.HeaderBus(bus); ok {
			header = n
		}
	}
	part.Found = "a chip with an address that none of the usual ones has"
	for i := range chip.May {
		one := &chip.May[i]
		part.May = append(part.May, Chip{Name: one.Name, What: one.What, Sensor: one.Sensor,
			ConfigTxt: one.ConfigLine(header, chip.Address), Command: one.Command(number, chip.Address)})
	}
	if len(chip.May) > 0 {
		part.Found = chips.Names(chip.May, shown)
	}
	return part
}

// ports lists the serial ports.
func (r *Report) ports(ctx context.Context, p *probe.Prober, c *probe.Connected) {
	for _, s := range c.Serial {
		part := Part{Group: groupSerial, Name: s.Open, Found: s.Title}
		if part.Used, part.ours = p.Holder(ctx, s.Node); part.Used == "" && s.Console {
			part.Used = "the kernel's console"
		}
		r.Parts = append(r.Parts, part)
	}
}

// cameras lists the video devices that are cameras.
func (r *Report) cameras(ctx context.Context, p *probe.Prober, c *probe.Connected) {
	for _, v := range c.Video {
		if errors.Is(v.Err, hw.ErrUnsupported) {
			continue
		}
		part := Part{Group: groupVideo, Name: v.Open, Found: v.Title}
		part.Used, part.ours = p.Holder(ctx, v.Node)
		if v.Err != nil {
			part.Problem, part.Fix, part.denied = fail(v.Err)
		} else {
			part.Found += ", " + probe.Formats(v.Formats)
		}
		r.Parts = append(r.Parts, part)
	}
	if err := p.CSICamera(c); err != nil {
		part := Part{Group: groupVideo, Name: "CSI", Found: "a camera on the CSI connector"}
		part.Problem, part.Fix, _ = fail(err)
		r.Parts = append(r.Parts, part)
	}
}

// screens lists the framebuffers.
func (r *Report) screens(ctx context.Context, p *probe.Prober, c *probe.Connected) {
	for _, f := range c.Framebuffers {
		part := Part{Group: groupFB, Name: f.Node, Found: f.Title}
		part.Used, part.ours = p.Holder(ctx, f.Node)
		if f.Err != nil {
			part.Problem, part.Fix, part.denied = fail(f.Err)
		} else {
			part.Found = fmt.Sprintf("%s, %dx%d, %d bits per pixel", f.Title, f.Geometry.Width, f.Geometry.Height, f.Geometry.BitsPerPixel)
		}
		r.Parts = append(r.Parts, part)
	}
}

// sensors lists the sensors that the kernel drives.
func (r *Report) sensors(c found) {
	for i := range c.sensors {
		s := &c.sensors[i]
		var channels []string
		for _, q := range s.Channels {
			name := q.Name
			if q.Unit != "" {
				name += " (" + q.Unit + ")"
			}
			channels = append(channels, name)
		}
		r.Parts = append(r.Parts, Part{Group: groupLinux, Name: s.Name, Found: s.String() + ": " + strings.Join(channels, ", ")})
	}
	if c.err != nil {
		p := Part{Group: groupLinux, Name: "sysfs", Found: "not all sensors"}
		p.Problem, p.Fix, p.denied = fail(c.err)
		r.Parts = append(r.Parts, p)
	}
}
