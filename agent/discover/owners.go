package discover

import (
	"strings"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/probe"
	"pithings/sensors/kernel"
	"pithings/things"
)

// Owner is a running agent, or a configuration that may be run.
type Owner struct {
	Config string // the file of the configuration
	Things []config.Thing
}

// own marks the parts of which there are things. Lines that have one are not free. Chips
// are found among the candidates that are known.
func (r *Report) own(owners []Owner, p *probe.Prober, c *probe.Connected, known []candidate) {
	for _, owner := range owners {
		for i := range owner.Things {
			t := &owner.Things[i]
			part := r.partOf(t.Settings, p, c, known)
			if key, _ := t.Settings.Part(); key == "" {
				part = r.ofKind(t.Type, known)
			}
			if part != nil && part.Thing == "" {
				part.Thing = t.Name
			}
		}
	}
	for i := range c.GPIO {
		for j := range c.GPIO[i].Lines {
			l := &c.GPIO[i].Lines[j]
			if p := r.part(l.Open); p != nil && p.Thing != "" {
				l.Used = true
			}
		}
	}
}

// partOf returns the part that settings name, or nil. The tag of the key says what it names.
func (r *Report) partOf(s things.Settings, p *probe.Prober, c *probe.Connected, known []candidate) *Part {
	key, where := s.Part()
	for _, f := range conf.Fields(s) {
		if f.Key != key {
			continue
		}
		switch f.Tag.Get("part") {
		case "line":
			return r.byLine(where)
		case "bus":
			return r.byBus(s, where, known)
		case "file", "port":
			return r.byFile(p.Files.Resolve(where), p, c)
		}
	}
	if c.Kernel != nil {
		if sensor, err := kernel.Find(c.Kernel, where); err == nil {
			return r.part(sensor.Name)
		}
	}
	return nil
}

// ofKind finds the part of a kind of things that need not say which part they use.
func (r *Report) ofKind(name string, known []candidate) *Part {
	for _, one := range known {
		if one.kind.Name == name {
			return r.part(one.Part)
		}
	}
	return nil
}

// byLine finds a line by its name, with or without the label of its chip.
func (r *Report) byLine(where string) *Part {
	for i := range r.Parts {
		if p := &r.Parts[i]; p.Group == groupGPIO && (where == p.Name || where == p.Bus+":"+p.Name) {
			return p
		}
	}
	return nil
}

// byBus finds the chip that a thing with these settings would have to itself.
func (r *Report) byBus(s things.Settings, where string, known []candidate) *Part {
	for _, one := range known {
		if one.Settings == nil {
			continue
		}
		if _, bus := one.Settings.Part(); bus != strings.TrimPrefix(where, "/dev/i2c-") {
			continue
		}
		if sharer, ok := s.(things.Sharer); ok && !sharer.Shares(one.Settings) {
			return r.part(one.Part)
		}
	}
	return nil
}

// byFile finds a camera, a screen or a serial port by its node.
func (r *Report) byFile(node string, p *probe.Prober, c *probe.Connected) *Part {
	for _, v := range c.Video {
		if node == v.Node || node == p.Files.Resolve(v.Open) {
			return r.part(v.Open)
		}
	}
	for _, s := range c.Serial {
		if node == s.Node {
			return r.part(s.Open)
		}
	}
	return r.part(node)
}
