package mock

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// Target is a device on a simulated bus. Each method is one part of a transfer
// and returns ErrNACK when the device does not acknowledge.
type Target interface {
	Write(p []byte) error
	Read(p []byte) error
}

// ErrTimeout is the error of a transfer on a bus that hangs.
var ErrTimeout = errors.New("the I²C bus does not answer (connection timed out); check for a wire that holds SDA or SCL low")

// busTimeout is the usual time-out of the kernel's adapters.
const busTimeout = time.Second

// Bus is a simulated I²C bus.
type Bus struct {
	part
	sensor  *BME680
	targets map[uint16]Target
	nacks   int
	hangs   bool
	turn    chan struct{} // one transfer at a time
}

func (b *Board) newBus(name string) *Bus {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	e := b.opts.Environment
	s := &Bus{
		part:    newPart(name),
		sensor:  NewBME680(e, b.opts.Seed^hash.Sum64(), b.opts.Now),
		targets: map[uint16]Target{},
		turn:    make(chan struct{}, 1),
	}
	switch e.Address {
	case NoSensor:
	case 0:
		s.targets[0x76] = s.sensor
	default:
		s.targets[e.Address] = s.sensor
	}
	return s
}

// Sensor is the environment sensor that the bus was made with.
func (s *Bus) Sensor() *BME680 { return s.sensor }

// Attach puts a device on the bus; nil takes it away.
func (s *Bus) Attach(address uint16, t Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t == nil {
		delete(s.targets, address)
		return
	}
	s.targets[address] = t
}

// NACK leaves the next n transfers without acknowledge, all of them when n is
// negative, until NACK(0).
func (s *Bus) NACK(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nacks = n
}

// Hang makes every transfer fail with ErrTimeout after a second.
func (s *Bus) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = on
}

func (s *Bus) open() (*busHandle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	life, err := s.claim(false)
	if err != nil {
		return nil, err
	}
	return &busHandle{bus: s, life: life}, nil
}

// busHandle is an open bus. Its fields are guarded by bus.mu.
type busHandle struct {
	bus    *Bus
	life   int
	closed bool
}

var _ i2c.BusCloser = (*busHandle)(nil)

func (h *busHandle) String() string { return "I²C bus " + h.bus.name + " (simulated)" }

// SetSpeed implements i2c.Bus; it is refused as by the kernel.
func (h *busHandle) SetSpeed(physic.Frequency) error {
	return fmt.Errorf("%s: the speed cannot be set from here; use dtparam=i2c_arm_baudrate in config.txt", h)
}

// Tx implements i2c.Bus.
func (h *busHandle) Tx(addr uint16, w, r []byte) error {
	h.bus.turn <- struct{}{}
	defer func() { <-h.bus.turn }()
	if err := h.tx(addr, w, r); err != nil {
		return fmt.Errorf("%s: address %#x: %w", h, addr, err)
	}
	return nil
}

func (h *busHandle) tx(addr uint16, w, r []byte) error {
	s := h.bus
	s.mu.Lock()
	err := h.usable()
	hangs, gone := s.hangs, s.changed
	nack := s.nacks != 0
	if err == nil && !hangs && s.nacks > 0 {
		s.nacks--
	}
	target := s.targets[addr]
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case hangs:
		timer := time.NewTimer(busTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			return ErrTimeout
		case <-gone:
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := h.usable(); err != nil {
				return err
			}
			return ErrTimeout
		}
	case nack || target == nil:
		return ErrNACK
	}
	if len(w) > 0 {
		if err := target.Write(w); err != nil {
			return err
		}
	}
	if len(r) > 0 {
		return target.Read(r)
	}
	return nil
}

func (h *busHandle) usable() error {
	if h.closed {
		return os.ErrClosed
	}
	return h.bus.alive(h.life)
}

// Close implements io.Closer. It may be called twice.
func (h *busHandle) Close() error {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	if !h.closed {
		h.closed = true
		h.bus.opened--
	}
	return nil
}
