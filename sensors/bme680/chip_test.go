package bme680

import (
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

var errNACK = errors.New("remote I/O error")

// chip is a bus with one chip on it, simulated as a register file with a
// measurement that takes as long as the datasheet says. It keeps its own
// account of the rules, to find a driver that breaks them.
type chip struct {
	mu     sync.Mutex
	addr   uint16
	regs   [256]byte // now
	reset  [256]byte // after power-up
	field  [lenField]byte
	slow   time.Duration   // how much longer than typical a measurement takes
	never  bool            // measurements do not end
	gone   bool            // nothing answers
	nack   int             // so many transfers fail
	once   *[lenField]byte // what the next measurement ends with
	forget int             // so many starts are forgotten, as when the supply dips after them; all when negative
	hang   time.Duration   // a failing transfer takes so long

	busyUntil time.Time
	written   map[byte]byte // last value written to each register
	resets    int
	starts    int
	transfers int
	wrong     []string // rules broken
}

func newChip(addr uint16, registers, field0 string) *chip {
	c := &chip{addr: addr, written: map[byte]byte{}}
	r, err := hex.DecodeString(registers)
	if err != nil || len(r) != len(c.reset) {
		panic("256 registers expected")
	}
	copy(c.reset[:], r)
	f, err := hex.DecodeString(field0)
	if err != nil || len(f) != lenField {
		panic("17 bytes of the field expected")
	}
	copy(c.field[:], f)
	c.regs = c.reset
	return c
}

func (c *chip) String() string                    { return "fake" }
func (c *chip) SetSpeed(f physic.Frequency) error { return nil }

func (c *chip) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *chip) Tx(addr uint16, w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transfers++
	if c.gone || c.nack > 0 || addr != c.addr {
		if c.nack > 0 {
			c.nack--
		}
		time.Sleep(c.hang)
		return errNACK
	}
	if len(w) == 0 {
		c.wrong = append(c.wrong, "a transfer without a register")
		return errNACK
	}
	c.finish()
	if len(r) != 0 {
		if len(w) != 1 {
			c.wrong = append(c.wrong, "a read with more than the register's address before it")
		}
		for i := range r {
			r[i] = c.regs[w[0]+byte(i)]
		}
		return nil
	}
	if len(w)%2 != 0 {
		c.wrong = append(c.wrong, "a write that is not in pairs")
		return nil
	}
	for i := 0; i < len(w); i += 2 {
		c.write(w[i], w[i+1])
	}
	return nil
}

func (c *chip) write(reg, v byte) {
	switch {
	case reg == regReset && v == softReset:
		c.resets++
		c.regs = c.reset
		c.busyUntil = time.Time{}
		return
	case reg == regReset, reg < regResHeat0, reg > regConfig:
		c.wrong = append(c.wrong, "a write to a register that is read-only")
		return
	case c.regs[regCtrlMeas]&3 != 0 && reg != regCtrlMeas:
		c.wrong = append(c.wrong, "a setting written during a measurement")
	}
	c.regs[reg], c.written[reg] = v, v
	if reg == regCtrlMeas && v&3 == modeForced {
		c.starts++
		c.regs[regField] = c.regs[regField]&^statusNewData | 0x20
		c.busyUntil = time.Now().Add(c.duration() + c.slow)
		if c.forget != 0 {
			c.forget--
			c.regs, c.busyUntil = c.reset, time.Time{}
			copy(c.regs[regField:], afterReset[:])
			c.regs[regField] = 0
		}
	}
}

// finish ends a measurement whose time has come.
func (c *chip) finish() {
	if c.busyUntil.IsZero() || c.never || time.Now().Before(c.busyUntil) {
		return
	}
	c.busyUntil = time.Time{}
	copy(c.regs[regField:], c.field[:])
	if c.once != nil {
		copy(c.regs[regField:], c.once[:])
		c.once = nil
	}
	c.regs[regCtrlMeas] &^= 3
}

// duration is computed from the registers, apart from the driver's own formula.
func (c *chip) duration() time.Duration {
	times := [8]int{0, 1, 2, 4, 8, 16, 16, 16}
	m := c.regs[regCtrlMeas]
	us := 1963 * (times[m>>5] + times[m>>2&7] + times[c.regs[regCtrlHum]&7])
	us += 477*4 + 477*5 + 1000
	if c.regs[regCtrlGas1]&0x30 != 0 {
		g := c.regs[regGasWait0]
		us += 1000 * (int(g&63) << (2 * (g >> 6)))
	}
	return time.Duration(us) * time.Microsecond
}

var _ i2c.Bus = &chip{}

// indoors is a BME680 with the calibration and field of an ordinary reference
// case.
func indoors() *chip {
	v := vectorsByVariant[variantLow]
	return newChip(0x76, v.Registers, v.Field0)
}

// bme688 is a chip of the other variant.
func bme688() *chip {
	v := vectorsByVariant[variantHigh]
	return newChip(0x77, v.Registers, v.Field0)
}
