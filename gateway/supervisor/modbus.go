package supervisor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/collect"
	"pithings/gateway/field"
)

// types are those of registers by their names in Device Supervisor.
var types = map[string]string{
	"WORD": "uint16", "INT": "int16", "DWORD": "uint32", "DINT": "int32", "FLOAT": "float32", "DOUBLE": "float64", "STRING": "string",
	"BOOL": "bool", "BIT": "bool",
}

// isBit reports whether an address of five or six digits is one of coils or discrete inputs.
func isBit(address string) bool { return address[0] == '0' || address[0] == '1' }

// of returns the first of columns that is there: 1.x and 2.x have other names for the same.
func of(columns map[string]string, names ...string) string {
	for _, name := range names {
		if text := columns[name]; text != "" {
			return gateway.Text(text)
		}
	}
	return ""
}

// whole is a number in a text, or def if there is none.
func whole(text string, def int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return def
}

// line is how a device is reached, as its thing has it.
type line struct {
	at     string // as device of a thing; "" if it is no Modbus device
	serial string // the serial port of the gateway that it was on
	rtu    bool
	unit   int
	order  string            // of the bytes of a thing
	orders map[string]string // of the types for which that differs
}

// lineOf finds how a device is reached.
func lineOf(d *field.Device) (l line, wrong string) {
	columns := gateway.Columns(d.Columns)
	var args struct {
		Unit    *json.Number `json:"slaveAddr"`
		Int16   string       `json:"int16Ord"`
		Int32   string       `json:"int32Ord"`
		Float32 string       `json:"float32Ord"`
	}
	_ = json.Unmarshal([]byte(columns["args"]), &args) // 1.x has columns of its own
	l.order = strings.ToUpper(cmp.Or(of(columns, "Byte Order"), args.Int32, "abcd"))
	l.orders = map[string]string{}
	if swapped := strings.EqualFold(args.Int16, "ba"); args.Int16 != "" && swapped != (l.order == "BADC" || l.order == "DCBA") {
		l.orders["int16"] = map[bool]string{true: "BADC", false: "ABCD"}[swapped]
		l.orders["uint16"] = l.orders["int16"]
	}
	if f := strings.ToUpper(args.Float32); f != "" && f != l.order {
		l.orders["float32"] = f
	}
	for _, order := range append(slices.Collect(maps.Values(l.orders)), l.order) {
		if !slices.Contains([]string{"ABCD", "CDAB", "BADC", "DCBA"}, order) {
			wrong = fmt.Sprintf("its byte order %.20q is none of abcd, cdab, badc, dcba", order)
		}
	}
	unit := of(columns, "Slave")
	if args.Unit != nil {
		unit = cmp.Or(unit, args.Unit.String())
	}
	where := of(columns, "Ip/Serial", "endpoint")
	switch strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(d.Protocol)) {
	case "modbusrtu":
		l.at, l.serial, l.rtu = "/dev/serial0", where, true
	case "modbustcp":
		if _, _, err := net.SplitHostPort(where); err == nil {
			l.at = "tcp://" + where
		} else if where != "" {
			l.at = "tcp://" + net.JoinHostPort(where, cmp.Or(of(columns, "Port"), "502"))
		} else {
			wrong = "it has no address"
		}
	}
	n, err := strconv.Atoi(cmp.Or(unit, "1"))
	if l.unit = n; err != nil || n < 0 || n > 255 || l.rtu && (n < 1 || n > 247) {
		wrong = fmt.Sprintf("its slave address %.20q is none", unit)
	}
	return l, wrong
}

// things writes the section things of a configuration for the Modbus devices, as
// docs/modbus.md has it, and binds devices and variables to them; "" if there are none. notes
// are what a file of Device Supervisor does not say.
func (im *importer) things() (yaml string, notes []string) {
	s := im.s
	names, taken, settings := map[string]bool{}, map[string]string{}, map[string]string{}
	for i := range s.Devices {
		d := &s.Devices[i]
		at := im.seen["device\x00"+d.Name]
		l, wrong := lineOf(d)
		if l.at == "" && wrong == "" || disabled(unpack(d.Columns)) {
			continue
		}
		var serial string
		var lacks []string
		if l.rtu {
			l.at, serial, lacks = im.serial(d, l.serial)
			key := fmt.Sprint(l.at, " ", l.unit)
			if other := taken[key]; other != "" && wrong == "" {
				wrong = fmt.Sprintf("device %s has its slave address %d on the same serial port", other, l.unit)
			}
			taken[key] = d.Name
			if first, ok := settings[l.at]; ok && first != serial && wrong == "" {
				wrong = "another device on the same serial port has another speed, parity or stop bits"
			} else if !ok {
				settings[l.at] = serial
			}
		}
		if wrong != "" {
			notes = append(notes, note(at, "device %s is bound to no thing: %s; write one yourself, as docs/modbus.md has it", d.Name, wrong))
			continue
		}
		registers, more := im.registers(d, l)
		if notes = append(notes, more...); len(registers) == 0 {
			continue
		}
		d.Thing = unique(names, d.Name, 128)
		if len(lacks) > 0 {
			notes = append(notes, note(at, "device %s: the file does not have its %s; write what is missing of device, speed, parity and stop_bits into the thing %s", d.Name, strings.Join(lacks, ", "), d.Thing))
		}
		yaml += fmt.Sprintf("  - name: %s\n    type: modbus\n    device: %s\n%s    unit: %d\n    order: %s\n%s    registers:\n      - %s\n",
			conf.Scalar(d.Thing), conf.Scalar(l.at), serial, l.unit, conf.Scalar(l.order), im.interval(d), strings.Join(registers, "\n      - "))
	}
	if yaml != "" {
		yaml = "things:\n" + yaml
	}
	return yaml, notes
}

// interval is the key of a thing that is read as often as its variables are polled.
func (im *importer) interval(d *field.Device) string {
	const usual = 10 * time.Second // of a thing
	shortest := time.Duration(0)
	least := func(t time.Duration) {
		if t > 0 && (shortest == 0 || t < shortest) {
			shortest = t
		}
	}
	if period, err := interval(of(gateway.Columns(d.Columns), "samplePeriod"), 0); err == nil {
		least(period.Duration)
	}
	if shortest == 0 { // 1.x
		groups := map[string]time.Duration{}
		for _, g := range im.s.Groups {
			groups[g.Name] = g.Polling.Duration
		}
		for _, v := range im.s.Variables {
			if v.Device == d.Name && v.Mode != collect.Never {
				least(groups[v.Group])
			}
		}
	}
	if shortest == 0 || shortest == usual {
		return ""
	}
	text, _ := conf.Duration{Duration: min(max(shortest, time.Second), 24*time.Hour)}.MarshalText() // it has no errors
	return fmt.Sprintf("    interval: %s\n", text)
}

// maxRegisters is how many a thing may have.
const maxRegisters = 1000

// registers writes the registers of a device's variables, each once, and names them in the
// variables. A variable of an alarm by its address has that in the alarm.
func (im *importer) registers(d *field.Device, l line) (registers, notes []string) {
	s, tooMany := im.s, 0
	names := map[string]bool{"utc_timestamp": true, "status": true, "state": true, "set": true, "value": true, "origin": true}
	for i := range s.Variables {
		v := &s.Variables[i]
		if v.Device != d.Name {
			continue
		}
		columns := gateway.Columns(v.Columns)
		if columns["Quotes"] == byAddress {
			if j := slices.IndexFunc(s.Alarms, func(a collect.AlarmRule) bool { return a.Name == v.Name && a.Device == v.Device }); j >= 0 {
				columns = gateway.Columns(s.Alarms[j].Columns)
			}
		}
		kind, known := types[strings.ToUpper(of(columns, "Data Type", "dataType"))]
		address := of(columns, "Register Addr", "addr")
		if n, err := strconv.Atoi(address); !known || err != nil || n < 1 {
			notes = append(notes, note(im.seen["variable\x00"+v.Device+"\x00"+v.Name], "variable %s of device %s has no values: its address %q with the data type %q is no register here", v.Name, d.Name, address, of(columns, "Data Type", "dataType")))
			continue
		}
		if len(registers) == maxRegisters {
			tooMany++
			continue
		}
		address = strings.Repeat("0", max(0, 5-len(address))) + address
		name := unique(names, registerName(v.Name), 64)
		parts := []string{"name: " + name, "address: " + conf.Scalar(address)}
		switch bit := of(columns, "Register Bit", "bitIndex"); {
		case kind == "bool" && isBit(address):
		case kind == "bool":
			parts = append(parts, "type: bool", fmt.Sprint("bit: ", whole(bit, 0)))
		default:
			parts = append(parts, "type: "+kind)
		}
		if kind == "string" {
			size := whole(of(columns, "Size", "len"), 1) // characters; two in a register
			parts = append(parts, fmt.Sprintf("length: %d", max(1, (size+1)/2)))
		}
		if order := l.orders[kind]; order != "" {
			parts = append(parts, "order: "+order)
		}
		if strings.Contains(strings.ToLower(of(columns, "Read Write", "readWrite")), "w") && (address[0] == '4' || address[0] == '0') {
			parts = append(parts, "writable: true")
		}
		if v.Unit != "" {
			parts = append(parts, "unit: "+conf.Scalar(v.Unit))
		}
		registers = append(registers, "{"+strings.Join(parts, ", ")+"}")
		if v.Value = name; name == v.Name {
			v.Value = ""
		}
	}
	if tooMany > 0 {
		notes = append(notes, note(im.seen["device\x00"+d.Name], "device %s: %d variables have no values: a thing has at most %d registers", d.Name, tooMany, maxRegisters))
	}
	return registers, notes
}

var (
	notName     = regexp.MustCompile(`[^A-Za-z0-9_.:-]`)
	notRegister = regexp.MustCompile(`[^A-Za-z0-9_]`)
)

// registerName makes a name of a register: letters, digits and _, with a letter first.
func registerName(name string) string {
	name = notRegister.ReplaceAllString(name, "_")
	if name == "" || name[0] < 'A' || name[0] == '_' {
		name = "r" + name
	}
	return name
}

// unique makes a name that a thing or a register may have, and that is not taken yet.
func unique(taken map[string]bool, name string, most int) string {
	name = strings.TrimLeft(notName.ReplaceAllString(name, "_"), ".:-")
	name = cmp.Or(name[:min(len(name), most-8)], "x")
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	taken[strings.ToLower(free)] = true
	return free
}
