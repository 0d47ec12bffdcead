package supervisor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pithings/gateway"
	"pithings/gateway/field"
)

// com is what is set of a serial port of the gateway.
type com struct {
	speed, stopBits int
	parity          string
	wrong           string // what it has that a Modbus line here cannot
}

// serials are the serial ports of a file, by their names: rs232, rs485.
type serials struct {
	ports map[string]com
	paths map[string]string // those of the Pi that took their place
}

var parities = map[string]string{"n": "none", "none": "none", "e": "even", "even": "even", "o": "odd", "odd": "odd"}

// comOf reads what an object says of a serial port: misc.coms of 2.x, or the arguments of a
// device.
func comOf(o object) (c com, ok bool) {
	number := func(names ...string) int {
		for _, name := range names {
			if n, err := strconv.Atoi(plain(o[name])); err == nil {
				return n
			}
		}
		return 0
	}
	c.speed, c.stopBits = number("baud", "baudRate", "baudrate"), number("stopbits", "stopBits")
	for _, name := range []string{"parityChk", "parity"} {
		if p := strings.ToLower(plain(o[name])); p != "" {
			if c.parity = parities[p]; c.parity == "" {
				c.wrong = fmt.Sprintf("parity %.50s", p)
			}
		}
	}
	if c.speed != 0 && (c.speed < 300 || c.speed > 4_000_000) {
		c.wrong, c.speed = fmt.Sprintf("speed %d", c.speed), 0
	}
	if c.stopBits != 0 && c.stopBits != 1 && c.stopBits != 2 {
		c.wrong, c.stopBits = fmt.Sprintf("%d stop bits", c.stopBits), 0
	}
	if bits := number("bits", "dataBits"); bits != 0 && bits != 8 {
		c.wrong = fmt.Sprintf("%d data bits", bits)
	}
	return c, c.speed != 0 || c.parity != "" || c.stopBits != 0 || c.wrong != ""
}

// coms reads the serial ports of misc.
func (s *serials) coms(misc json.RawMessage) {
	var m struct {
		Coms []object `json:"coms"`
	}
	if json.Unmarshal(misc, &m) != nil {
		return
	}
	for _, o := range m.Coms {
		if c, ok := comOf(o); ok {
			if s.ports == nil {
				s.ports = map[string]com{}
			}
			s.ports[portName(plain(o["name"]))] = c
		}
	}
}

// portName is a name of a serial port in one spelling: rs485 of RS-485.
func portName(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(name))
}

// path is the serial port of the Pi for one of the gateway: that of its header for the first,
// and adapters for others.
func (s *serials) path(name string) string {
	if s.paths == nil {
		s.paths = map[string]string{}
	}
	if s.paths[name] == "" {
		s.paths[name] = "/dev/serial0"
		if n := len(s.paths) - 1; n > 0 {
			s.paths[name] = fmt.Sprintf("/dev/ttyUSB%d", n-1)
		}
	}
	return s.paths[name]
}

// serial returns the keys of a thing for a serial device, and what the file lacks. The port of
// the gateway becomes the first one of the Pi, unless the file has a path.
func (s *serials) serial(d *field.Device, where string) (port, keys string, lacks []string) {
	columns := gateway.Columns(d.Columns)
	c := s.ports[portName(where)]
	var args object
	if json.Unmarshal([]byte(columns["args"]), &args) == nil {
		if own, ok := comOf(args); ok {
			c = own
		}
	}
	row := object{}
	for of, name := range map[string]string{"Baud Rate": "baud", "Baudrate": "baud", "Parity": "parity", "Stop Bits": "stopBits", "Data Bits": "bits"} {
		if columns[of] != "" {
			row.put(name, columns[of])
		}
	}
	if own, ok := comOf(row); ok {
		c = own
	}
	port = "/dev/serial0"
	switch {
	case strings.HasPrefix(where, "/dev/"):
		port = where
	case where == "":
		lacks = append(lacks, "serial port")
	default:
		port = s.path(portName(where))
		lacks = append(lacks, fmt.Sprintf("serial port (%s of the gateway, taken as %s)", where, port))
	}
	for _, k := range []struct {
		there bool
		text  string
		name  string
	}{{c.speed != 0, fmt.Sprintf("    speed: %d\n", c.speed), "speed"}, {c.parity != "", fmt.Sprintf("    parity: %s\n", c.parity), "parity"}, {c.stopBits != 0, fmt.Sprintf("    stop_bits: %d\n", c.stopBits), "stop bits"}} {
		if k.there {
			keys += k.text
		} else {
			lacks = append(lacks, k.name)
		}
	}
	if c.wrong != "" {
		lacks = append(lacks, "line with 8 data bits, 1 or 2 stop bits and parity none, even or odd (it has "+c.wrong+")")
	}
	return port, keys, lacks
}
