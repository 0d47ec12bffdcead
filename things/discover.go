package things

import (
	"pithings/conf"
	"pithings/hw/probe"
)

// Candidate is a thing that can be made of a part that is connected.
type Candidate struct {
	// Part is the name of the part: a line's and a device's is what opens it, a chip's
	// what it prints as (see probe.Connected).
	Part string
	// Found is what the part is, if probe.Connected does not have it.
	Found string
	// Name is one for the thing. A number is added if it is taken.
	Name     string
	Settings Settings
	// Drives says that the thing drives what is wired to the part. That has to be known
	// first: a sensor's output on such a line is a short circuit.
	Drives bool
	// Problem says why no thing of this kind can be made of the part, Fix what to do. Then
	// there are no settings.
	Problem, Fix string
}

// discoverLine returns a candidate with a free line for settings whose pin is at that
// address, if there is a line: what is wired to one cannot be seen.
func discoverLine(c *probe.Connected, name, preferred string, s Settings, pin *string) []Candidate {
	line, ok := c.FreeLine(preferred)
	if !ok {
		return nil
	}
	conf.Fill(s)
	*pin = line.Open
	return []Candidate{{Part: line.Open, Name: name, Settings: s}}
}
