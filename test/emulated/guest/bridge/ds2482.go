//go:build linux

package main

// ds2482 is a DS2482-100, a bridge from I²C to 1-wire, with one slave. Each of
// its commands is done as soon as it is given.
type ds2482 struct {
	slave                *thermometer
	pointer              byte // which register is read
	status, data, config byte
}

// Registers and bits of the status (DS2482-100 datasheet, "Registers").
const (
	pointerStatus = 0xF0
	pointerData   = 0xE1
	pointerConfig = 0xC3

	statusPresence  = 1 << 1
	statusLevel     = 1 << 3 // the line is high
	statusReset     = 1 << 4
	statusBit       = 1 << 5
	statusSecond    = 1 << 6
	statusDirection = 1 << 7
)

// Write is a command and its parameter.
func (d *ds2482) Write(w []byte) error {
	parameter := byte(0)
	if len(w) > 1 {
		parameter = w[1]
	}
	d.pointer = pointerStatus
	d.status |= statusLevel
	switch w[0] {
	case 0xF0: // device reset
		d.status, d.config = statusLevel|statusReset, 0
	case 0xE1: // set read pointer
		d.pointer = parameter
	case 0xD2: // write configuration
		d.config = parameter & 0xF
		d.status &^= statusReset
		d.pointer = pointerConfig
	case 0xB4: // 1-wire reset
		d.slave.reset()
		d.status |= statusPresence
	case 0x87: // 1-wire single bit
		d.note(statusBit, d.slave.bit(parameter>>7))
	case 0xA5: // 1-wire write byte
		for i := range 8 {
			d.slave.bit(parameter >> i & 1)
		}
	case 0x96: // 1-wire read byte
		d.data = 0
		for i := range 8 {
			d.data |= d.slave.bit(1) << i
		}
	case 0x78: // 1-wire triplet
		first, second := d.slave.bit(1), d.slave.bit(1)
		direction := first
		if first == second {
			direction = parameter >> 7
		}
		d.slave.bit(direction)
		d.note(statusBit, first)
		d.note(statusSecond, second)
		d.note(statusDirection, direction)
	default: // channel select is of the DS2482-800 only
		return errRefused
	}
	return nil
}

func (d *ds2482) note(flag, bit byte) {
	d.status &^= flag
	if bit != 0 {
		d.status |= flag
	}
}

func (d *ds2482) Read(r []byte) error {
	value := d.status
	switch d.pointer {
	case pointerData:
		value = d.data
	case pointerConfig:
		value = d.config
	}
	for i := range r {
		r[i] = value
	}
	return nil
}

// thermometer is a DS18B20 at the end of the line, bit by bit.
type thermometer struct {
	rom [8]byte
	raw int16 // sixteenths of a degree

	state    func(in byte) (out byte)
	n        int // bits since the state began
	shift    byte
	settings [3]byte // TH, TL, configuration
	measured int16
}

// newThermometer makes one with a serial number of 48 bits.
func newThermometer(serial uint64) *thermometer {
	t := &thermometer{settings: [3]byte{75, 70, 0x7F}, measured: 85 * 16} // after power-on
	t.rom[0] = 0x28
	for i := range 6 {
		t.rom[i+1] = byte(serial >> (8 * i))
	}
	t.rom[7] = crc8(t.rom[:7])
	t.enter(t.idle)
	return t
}

// crc8 is the checksum of 1-wire: x⁸ + x⁵ + x⁴ + 1.
func crc8(text []byte) (crc byte) {
	for _, b := range text {
		crc ^= b
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8C
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

func (t *thermometer) enter(state func(byte) byte) { t.state, t.n, t.shift = state, 0, 0 }

func (t *thermometer) reset() { t.enter(t.romCommand) }

// bit is one time slot: the master's bit, and the line's level.
func (t *thermometer) bit(in byte) (out byte) { return t.state(in) }

func (t *thermometer) idle(in byte) byte { return in }

// collect notes a bit, and reports the byte when it is whole.
func (t *thermometer) collect(in byte) (value byte, whole bool) {
	t.shift |= in << (t.n % 8)
	t.n++
	value = t.shift
	if whole = t.n%8 == 0; whole {
		t.shift = 0
	}
	return value, whole
}

func romBit(rom []byte, i int) byte { return rom[i/8] >> (i % 8) & 1 }

func (t *thermometer) romCommand(in byte) byte {
	if command, whole := t.collect(in); whole {
		switch command {
		case 0xF0: // search
			t.enter(t.search)
		case 0x33: // read
			t.send(t.rom[:])
		case 0x55: // match
			t.enter(t.match)
		case 0xCC: // skip
			t.enter(t.function)
		default:
			t.enter(t.idle)
		}
	}
	return in
}

// search sends each bit and its complement, and takes part as long as the master
// goes its way.
func (t *thermometer) search(in byte) byte {
	own, phase := romBit(t.rom[:], t.n/3), t.n%3
	t.n++
	switch phase {
	case 0:
		return in & own
	case 1:
		return in & (own ^ 1)
	}
	if in != own {
		t.enter(t.idle)
	} else if t.n == 3*64 {
		t.enter(t.function)
	}
	return in
}

func (t *thermometer) match(in byte) byte {
	same := in == romBit(t.rom[:], t.n)
	t.n++
	if !same {
		t.enter(t.idle)
	} else if t.n == 64 {
		t.enter(t.function)
	}
	return in
}

func (t *thermometer) function(in byte) byte {
	command, whole := t.collect(in)
	if !whole {
		return in
	}
	switch command {
	case 0x44: // convert
		t.measured = t.raw
		t.enter(t.idle)
	case 0xBE: // read scratchpad
		pad := []byte{byte(t.measured), byte(t.measured >> 8), t.settings[0], t.settings[1], t.settings[2], 0xFF, 0x0C, 0x10}
		t.send(append(pad, crc8(pad)))
	case 0x4E: // write scratchpad
		t.enter(t.settle)
	default: // power supply: an external one leaves the line high
		t.enter(t.idle)
	}
	return in
}

func (t *thermometer) settle(in byte) byte {
	at := t.n / 8
	if value, whole := t.collect(in); whole {
		t.settings[at] = value
		if at == len(t.settings)-1 {
			t.enter(t.idle)
		}
	}
	return in
}

// send sends bytes for as long as the master reads.
func (t *thermometer) send(text []byte) {
	t.enter(func(in byte) byte {
		if t.n == 8*len(text) {
			return in
		}
		t.n++
		return in & romBit(text, t.n-1)
	})
}
