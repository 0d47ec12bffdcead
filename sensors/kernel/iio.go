package kernel

import (
	"regexp"
	"strings"
)

// iioFile is the raw or processed value of a channel: in_temp_input,
// in_voltage0_raw, in_voltage0-voltage1_raw, in_intensity_ir_raw,
// in_voltage2_supply_raw (ABI/testing/sysfs-bus-iio).
var iioFile = regexp.MustCompile(`^(in_([a-z]+)([0-9]{1,4})?(?:-([a-z]+)([0-9]{1,4}))?(?:_([a-z0-9_]+))?)_(?:raw|(input))$`)

// iioName is what the name of a channel's file says.
type iioName struct {
	key      string // "in_voltage0-voltage1"
	kind     string // "voltage"
	number   string // "0"
	minus    string // of a difference: "voltage1"
	minusNo  string // its number: "1"
	modifier string // "supply"
	input    bool   // processed
}

// parseIIO reads the name of a file.
func parseIIO(file string) (n iioName, ok bool) {
	m := iioFile.FindStringSubmatch(file)
	if m == nil || m[4] != "" && m[4] != m[2] {
		return n, false
	}
	n = iioName{key: m[1], kind: m[2], number: m[3], minusNo: m[5], modifier: m[6], input: m[7] != ""}
	if m[4] != "" {
		n.minus = m[4] + m[5]
	}
	// The highest, lowest and average of what was measured before.
	for _, past := range []string{"peak", "trough", "mean"} {
		if n.modifier == past || strings.HasSuffix(n.modifier, "_"+past) {
			return n, false
		}
	}
	return n, true
}

// shared lists the files that may hold an attribute of the channel, from its own
// to what it shares with all others.
func (n iioName) shared(attribute string) []string {
	list := []string{n.key + "_" + attribute}
	if n.modifier != "" {
		list = append(list, "in_"+n.kind+n.number+"_"+attribute, "in_"+n.kind+"_"+n.modifier+"_"+attribute)
	}
	if n.minus != "" {
		list = append(list, "in_"+n.kind+"-"+n.kind+"_"+attribute)
	}
	return append(list, "in_"+n.kind+"_"+attribute, "in_"+attribute, attribute)
}

// iioChannels finds the channels of an industrial I/O device.
func iioChannels(f *folder) []channel {
	var list []channel
	for _, file := range f.list {
		n, ok := parseIIO(file)
		if !ok || !n.input && f.names[n.key+"_input"] {
			continue
		}
		t, known := lookUp(n.kind, n.modifier)
		if !known {
			continue
		}
		c := channel{
			quantity: t.quantity, base: t.quantity.Name, label: f.text(n.key + "_label"), key: n.key,
			value: f.has(file), factor: t.factor, slack: t.slack,
		}
		c.number = n.number
		if n.minus != "" {
			c.number += "_" + n.minusNo
		}
		if !n.input {
			c.offset, c.scale = f.has(n.shared("offset")...), f.has(n.shared("scale")...)
			if c.scale == "" {
				// What a count of the converter means is not known.
				c.factor, c.slack = 1, 0
				c.quantity.Unit, c.quantity.Class, c.quantity.Precision, c.quantity.Min, c.quantity.Max = "", "", 0, 0, 0
			}
		}
		list = append(list, c)
	}
	return list
}
