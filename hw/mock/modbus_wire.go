package mock

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"pithings/hw"
)

// Modbus is the device behind a serial port, or at a network address ("mock:502").
func (b *Board) Modbus(name string) *Modbus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.modbus(name)
}

func (b *Board) modbus(name string) *Modbus {
	m, ok := b.devices[name]
	if !ok {
		m = newModbus(name, b.opts.Seed, b.date)
		b.devices[name] = m
	}
	return m
}

// OpenSerial implements [hw.Board].
func (b *Board) OpenSerial(device string, o hw.SerialOpts) (hw.Serial, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(device); err != nil {
		return nil, err
	}
	if o.Speed <= 0 || o.StopBits != 1 && o.StopBits != 2 {
		return nil, fmt.Errorf("%s: %w: %d bits per second with %d stop bits", device, hw.ErrUnsupported, o.Speed, o.StopBits)
	}
	m := b.modbus(device)
	m.mu.Lock()
	defer m.mu.Unlock()
	life, err := m.claim(true)
	if err != nil {
		return nil, err
	}
	return &wire{device: m, life: life, cut: rtuRequest, frame: rtuFrame, more: make(chan struct{}, 1)}, nil
}

// Dial implements [hw.Board].
func (b *Board) Dial(ctx context.Context, address string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.check(address); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m := b.modbus(address)
	m.mu.Lock()
	defer m.mu.Unlock()
	life, err := m.claim(false)
	if err != nil {
		return nil, err
	}
	return &connection{&wire{device: m, life: life, cut: tcpRequest, frame: tcpFrame, more: make(chan struct{}, 1)}}, nil
}

// wire is an open serial port, or a connection, with the device at its other end.
type wire struct {
	device *Modbus
	life   int
	// cut splits a request off what was written; n is 0 while it is not complete. A pdu that
	// is nil is none that the device understands.
	cut   func(written []byte) (header []byte, unit byte, pdu []byte, n int)
	frame func(header []byte, unit byte, pdu []byte) []byte

	mu       sync.Mutex
	closed   bool
	written  []byte
	coming   []sent // in the order of their times
	deadline time.Time
	more     chan struct{} // has a token when a reader has to look again
}

// sent is what the device sends at a time; without data it ends the connection.
type sent struct {
	at   time.Time
	data []byte
}

func (w *wire) String() string { return w.device.name + " (simulated)" }

// usable reports whether the wire still leads to the device.
func (w *wire) usable() error {
	if w.closed {
		return os.ErrClosed
	}
	w.device.mu.Lock()
	defer w.device.mu.Unlock()
	return w.device.alive(w.life)
}

func (w *wire) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, err
	}
	w.written = append(w.written, p...)
	for {
		header, unit, pdu, n := w.cut(w.written)
		if n == 0 {
			return len(p), nil
		}
		if pdu != nil {
			w.send(header, w.device.answer(unit, pdu))
		}
		w.written = append(w.written[:0], w.written[n:]...)
	}
}

// send has an answer arrive in two pieces, as on a real line. w.mu is held.
func (w *wire) send(header []byte, a Answer) {
	at := time.Now().Add(a.After)
	data := a.Raw
	switch {
	case a.Close:
		w.coming = append(w.coming, sent{at: at})
	case data == nil && a.PDU != nil:
		data = w.frame(header, a.Unit, a.PDU)
	}
	if half := len(data) / 2; half > 0 {
		w.coming = append(w.coming, sent{at, data[:half]}, sent{at, data[half:]})
	}
	w.wake()
}

func (w *wire) Read(p []byte) (int, error) {
	for {
		n, wait, changed, err := w.read(p)
		if n > 0 || err != nil {
			return n, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-w.more:
		case <-changed:
		}
		timer.Stop()
	}
}

// forever is how long a read without a deadline waits before it looks again.
const forever = time.Hour

// read reads what is there, or returns how long to wait for it.
func (w *wire) read(p []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.device.mu.Lock()
	changed = w.device.changed
	w.device.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, 0, nil, err
	}
	now := time.Now()
	wait = forever
	if !w.deadline.IsZero() {
		if wait = w.deadline.Sub(now); wait <= 0 {
			return 0, 0, nil, os.ErrDeadlineExceeded
		}
	}
	if len(w.coming) == 0 {
		return 0, wait, changed, nil
	}
	next := &w.coming[0]
	if until := next.at.Sub(now); until > 0 {
		return 0, min(wait, until), changed, nil
	}
	if next.data == nil {
		return 0, 0, nil, io.EOF
	}
	n = copy(p, next.data)
	if next.data = next.data[n:]; len(next.data) == 0 {
		w.coming = w.coming[1:]
	}
	return n, 0, nil, nil
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	w.wake()
	return nil
}

// Flush implements [hw.Serial]: what the device sends later still arrives.
func (w *wire) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for len(w.coming) > 0 && !w.coming[0].at.After(now) && w.coming[0].data != nil {
		w.coming = w.coming[1:]
	}
	return w.usable()
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		w.wake()
		w.device.mu.Lock()
		defer w.device.mu.Unlock()
		w.device.opened--
	}
	return nil
}

// connection is a wire as a connection on the network.
type connection struct{ *wire }

// networkAddress is the name of either end.
type networkAddress string

func (networkAddress) Network() string  { return "tcp" }
func (a networkAddress) String() string { return string(a) }

func (c *connection) LocalAddr() net.Addr                { return networkAddress("simulated") }
func (c *connection) RemoteAddr() net.Addr               { return networkAddress(c.device.name) }
func (c *connection) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *connection) SetWriteDeadline(t time.Time) error { return nil }

// tcpRequest cuts a request as in the MODBUS Messaging on TCP/IP Implementation Guide
// V1.0b, section 3.1.3.
func tcpRequest(b []byte) (header []byte, unit byte, pdu []byte, n int) {
	if len(b) < 8 {
		return nil, 0, nil, 0
	}
	n = 6 + int(binary.BigEndian.Uint16(b[4:]))
	if b[2] != 0 || b[3] != 0 || n < 8 || n > 260 {
		return nil, 0, nil, len(b)
	}
	if len(b) < n {
		return nil, 0, nil, 0
	}
	return b[:4], b[6], b[7:n], n
}

func tcpFrame(header []byte, unit byte, pdu []byte) []byte {
	f := binary.BigEndian.AppendUint16(append([]byte(nil), header...), uint16(1+len(pdu)))
	return append(append(f, unit), pdu...)
}

// rtuRequest cuts a request as in MODBUS over Serial Line V1.02, section 2.5.1. Its length
// follows from its function, since a simulation has no silence between frames.
func rtuRequest(b []byte) (header []byte, unit byte, pdu []byte, n int) {
	if len(b) < 4 {
		return nil, 0, nil, 0
	}
	switch code := b[1]; {
	case code >= readCoils && code <= writeRegister:
		n = 8
	case code == writeCoils || code == writeRegisters:
		if len(b) < 7 {
			return nil, 0, nil, 0
		}
		n = 9 + int(b[6])
	default:
		n = len(b)
	}
	if len(b) < n {
		return nil, 0, nil, 0
	}
	if crc16(b[:n]) != 0 { // the sum of a frame with its own sum
		return nil, 0, nil, len(b)
	}
	return nil, b[0], b[1 : n-2], n
}

func rtuFrame(_ []byte, unit byte, pdu []byte) []byte {
	f := append([]byte{unit}, pdu...)
	sum := crc16(f)
	return append(f, byte(sum), byte(sum>>8))
}

// crc16 is the sum of section 6.2.2, bit by bit.
func crc16(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, x := range b {
		sum ^= uint16(x)
		for range 8 {
			odd := sum & 1
			if sum >>= 1; odd == 1 {
				sum ^= 0xa001
			}
		}
	}
	return sum
}
