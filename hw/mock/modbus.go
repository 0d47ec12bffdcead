package mock

import (
	"encoding/binary"
	"math"
	"time"
)

// Modbus is a simulated Modbus device at the wire (MODBUS Application Protocol V1.1b3), which
// answers as every unit. It is behind every serial port and every network address of the
// board. Each kind of data has 10,000 addresses, the first of them with a meaning:
//
//	input register   0    temperature, int16, 0.1 °C
//	                 1    humidity, uint16, 0.1 %
//	                 2–3  pressure, float32 (high word first), hPa
//	                 4–5  counter of seconds, uint32 (high word first)
//	holding register 0    setpoint, int16, 0.1 °C, 21.5 at first
//	                 10–17 name, 16 characters
//	discrete input   n    changes every n+1 times 10 s
//	coil             n    as it was written, off at first
//
// All other registers hold their own address, until they are written.
type Modbus struct {
	part
	seed uint64
	date func(time.Time) time.Time

	coils    map[place]bool
	holdings map[place]uint16
	fault    func(*Answer)
}

// place is an address of a unit.
type place struct {
	unit    byte
	address uint16
}

const (
	modbusSize = 10_000 // addresses of each kind of data
	modbusName = "SIMULATED METER\x00"
)

// Answer is what the device is about to send, for [Modbus.Fault] to change.
type Answer struct {
	Asked []byte // the request's function code and data
	Unit  byte   // who answers
	PDU   []byte // function code and data; nil: no answer
	After time.Duration
	Raw   []byte // if not nil, sent as it is, in place of a frame
	Close bool   // the connection ends in place of an answer
}

func newModbus(name string, seed uint64, date func(time.Time) time.Time) *Modbus {
	return &Modbus{part: newPart(name), seed: seed, date: date, coils: map[place]bool{}, holdings: map[place]uint16{}}
}

// Fault has every answer changed by f; nil ends that. The following are usual ones.
func (m *Modbus) Fault(f func(*Answer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// NoAnswer is a device without power, or with another unit id.
func NoAnswer(a *Answer) { a.PDU = nil }

// LateAnswer returns a fault of a device that takes its time.
func LateAnswer(d time.Duration) func(*Answer) { return func(a *Answer) { a.After = d } }

// OtherUnit is an answer that another device gives.
func OtherUnit(a *Answer) { a.Unit++ }

// Exception returns a fault of a device that refuses requests with a code (section 7).
func Exception(code byte) func(*Answer) {
	return func(a *Answer) { a.PDU = []byte{a.Asked[0] | 0x80, code} }
}

// Noise is a device with another speed, or that speaks something else.
func Noise(a *Answer) { a.Raw = []byte("\xffHTTP/1.1 400 Bad Request\r\n\r\n\x00\x01\x02\x03") }

// HangUp is a device that ends the connection.
func HangUp(a *Answer) { a.Close = true }

// Holding returns what a holding register of a unit has.
func (m *Modbus) Holding(unit byte, address uint16) uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holding(unit, address)
}

// Coil returns whether a coil of a unit is on.
func (m *Modbus) Coil(unit byte, address uint16) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.coils[place{unit, address}]
}

// holding is Holding; m.mu is held.
func (m *Modbus) holding(unit byte, address uint16) uint16 {
	if v, written := m.holdings[place{unit, address}]; written {
		return v
	}
	switch {
	case address == 0:
		return 215
	case address >= 10 && int(address) < 10+len(modbusName)/2:
		i := 2 * (address - 10)
		return uint16(modbusName[i])<<8 | uint16(modbusName[i+1])
	}
	return address
}

// input is the value of an input register.
func (m *Modbus) input(address uint16, now time.Time) uint16 {
	w := wander(m.seed, now)
	half := func(v uint32) uint16 { return uint16(v >> (16 * (1 - address%2))) }
	switch address {
	case 0:
		return uint16(int16(math.Round(10 * w.Temperature)))
	case 1:
		return uint16(math.Round(10 * w.Humidity))
	case 2, 3:
		return half(math.Float32bits(float32(w.Pressure / 100)))
	case 4, 5:
		return half(uint32(now.Unix()))
	}
	return address
}

// discrete is the value of a discrete input.
func (m *Modbus) discrete(address uint16, now time.Time) bool {
	return now.Unix()/(10*(int64(address)+1))%2 == 1
}

// answer returns what unit answers to a request. It may take a lock and waits for nothing.
func (m *Modbus) answer(unit byte, pdu []byte) Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := Answer{Asked: pdu, Unit: unit}
	data, exception := m.do(unit, pdu)
	switch {
	case exception != 0:
		a.PDU = []byte{pdu[0] | 0x80, exception}
	case unit != 0: // a broadcast has no answer
		a.PDU = append([]byte{pdu[0]}, data...)
	}
	if m.fault != nil {
		m.fault(&a)
	}
	return a
}

// The exceptions (section 7), and the function codes that the device has (section 6).
const (
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3

	readCoils      = 1
	readDiscretes  = 2
	readHoldings   = 3
	readInputs     = 4
	writeCoil      = 5
	writeRegister  = 6
	writeCoils     = 15
	writeRegisters = 16
)

// do does what a request asks for. m.mu is held.
func (m *Modbus) do(unit byte, pdu []byte) (data []byte, exception byte) {
	code := pdu[0]
	if code < readCoils || code > writeRegister && code != writeCoils && code != writeRegisters {
		return nil, illegalFunction
	}
	if len(pdu) < 5 {
		return nil, illegalValue
	}
	address, n := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	count, most := int(n), 1
	switch code {
	case readCoils, readDiscretes:
		most = 2000
	case readHoldings, readInputs:
		most = 125
	case writeCoil, writeRegister:
		count = 1
	case writeCoils:
		most = 1968
	case writeRegisters:
		most = 123
	}
	if count < 1 || count > most {
		return nil, illegalValue
	}
	if int(address)+count > modbusSize {
		return nil, illegalAddress
	}
	if code >= writeCoil {
		return pdu[1:5], m.write(unit, pdu, address, count)
	}
	return m.read(unit, code, address, count), 0
}

// read returns what the registers, or bits, have. m.mu is held.
func (m *Modbus) read(unit, code byte, address uint16, count int) []byte {
	now := m.date(time.Now())
	if code >= readHoldings {
		data := []byte{byte(2 * count)}
		for i := range count {
			v := m.holding(unit, address+uint16(i))
			if code == readInputs {
				v = m.input(address+uint16(i), now)
			}
			data = binary.BigEndian.AppendUint16(data, v)
		}
		return data
	}
	data := make([]byte, 1+(count+7)/8)
	data[0] = byte(len(data) - 1)
	for i := range count {
		at := address + uint16(i)
		if code == readCoils && m.coils[place{unit, at}] || code == readDiscretes && m.discrete(at, now) {
			data[1+i/8] |= 1 << (i % 8)
		}
	}
	return data
}

// write writes registers, or coils. m.mu is held.
func (m *Modbus) write(unit byte, pdu []byte, address uint16, count int) (exception byte) {
	value := binary.BigEndian.Uint16(pdu[3:])
	switch pdu[0] {
	case writeCoil:
		if value != 0 && value != 0xff00 {
			return illegalValue
		}
		m.coils[place{unit, address}] = value != 0
	case writeRegister:
		m.holdings[place{unit, address}] = value
	case writeCoils:
		if len(pdu) != 6+(count+7)/8 || int(pdu[5]) != len(pdu)-6 {
			return illegalValue
		}
		for i := range count {
			m.coils[place{unit, address + uint16(i)}] = pdu[6+i/8]>>(i%8)&1 == 1
		}
	case writeRegisters:
		if len(pdu) != 6+2*count || int(pdu[5]) != 2*count {
			return illegalValue
		}
		for i := range count {
			m.holdings[place{unit, address + uint16(i)}] = binary.BigEndian.Uint16(pdu[6+2*i:])
		}
	}
	return 0
}
