package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// stream is a serial port, or a connection to a device that has one.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// rtu exchanges RTU frames (MODBUS over Serial Line V1.02, section 2.5.1). A frame has no
// number, so nothing says which request it answers:
//
//	t=0    read 0x0000–0x0009 ──▶
//	t=1 s  time-out
//	t=1 s  read 0x0100–0x0109 ──▶
//	t=1.2s ◀── 20 bytes: those of the first request
//
// What came before a request is dropped. After a time-out, the next request with the same
// function to the same unit waits until the late answer has come, or for one more time-out.
type rtu struct {
	stream
	flush     func() error  // drops what came
	character time.Duration // the time of one character on the wire; 0: there is none
	late      map[uint16]late
	in        []byte
}

// late is an answer that may still come.
type late struct {
	*request
	until time.Time
}

// The lengths of frames: unit and checksum are around function code and data.
const (
	around   = 3
	maxInput = 512 // what is kept of bytes that are no answer, two frames
)

// exchange sends a request to a unit and returns the answer's function code and data. wait
// is how long the device may take.
func (c *rtu) exchange(ctx context.Context, unit byte, q *request, wait time.Duration) ([]byte, error) {
	key := uint16(unit)<<8 | uint16(q.pdu[0])
	if l, ok := c.late[key]; ok {
		c.in = c.in[:0]
		if _, err := c.await(ctx, unit, l.request, l.until); err != nil && !usable(err) {
			return nil, err
		}
		delete(c.late, key)
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	c.in = c.in[:0]
	frame := append([]byte{unit}, q.pdu...)
	sum := crc(frame)
	frame = append(frame, byte(sum), byte(sum>>8))
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	sending := time.Duration(len(frame)+q.answer()+around) * c.character
	pdu, err := c.await(ctx, unit, q, time.Now().Add(wait+sending))
	if err != nil {
		for k, l := range c.late { // those that are too late are forgotten
			if time.Now().After(l.until) {
				delete(c.late, k)
			}
		}
		c.late[key] = late{q, time.Now().Add(wait)}
	}
	return pdu, err
}

// await reads until the answer of a unit has come. Frames of other units and noise before it
// do not end the wait (section 2.4.1).
func (c *rtu) await(ctx context.Context, unit byte, q *request, until time.Time) ([]byte, error) {
	if err := c.SetReadDeadline(until); err != nil {
		return nil, err
	}
	for {
		if ctx.Err() != nil { // which sets the deadline, perhaps before this did
			return nil, context.Cause(ctx)
		}
		if len(c.in) >= maxInput {
			c.in = append(c.in[:0], c.in[maxInput/2:]...)
		}
		var b [256]byte
		n, err := c.Read(b[:])
		c.in = append(c.in, b[:n]...)
		if pdu := c.scan(unit, q); pdu != nil {
			return pdu, nil
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, c.unanswered(unit)
		default:
			return nil, err
		}
	}
}

// scan looks for the answer in what came.
func (c *rtu) scan(unit byte, q *request) []byte {
	for i := 0; i+around+2 <= len(c.in); i++ {
		b := c.in[i:]
		if b[0] != unit {
			continue
		}
		n, ok := q.begins(b[1:])
		if ok && n+around <= len(b) && crc(b[:n+around]) == 0 {
			return append([]byte(nil), b[1:1+n]...)
		}
	}
	return nil
}

// unanswered says what came in place of an answer.
func (c *rtu) unanswered(unit byte) error {
	switch {
	case len(c.in) == 0:
		return ErrSilent
	case len(c.in) >= around+2 && crc(c.in) == 0 && c.in[0] != unit:
		return fmt.Errorf("%w: unit %d", ErrOtherUnit, c.in[0])
	}
	return fmt.Errorf("%w: %d bytes that are none, beginning with % x", ErrFrame, len(c.in), c.in[:min(len(c.in), 8)])
}

// drain drops what came of a stream that cannot be flushed.
func drain(s stream) func() error {
	const pause = time.Millisecond // of the operating system's making
	return func() error {
		var b [256]byte
		for range 64 { // a stream without an end is found by the next exchange
			if err := s.SetReadDeadline(time.Now().Add(pause)); err != nil {
				return err
			}
			_, err := s.Read(b[:])
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// crc is the sum of section 6.2.2: of a frame without its sum, or 0 of one with it.
func crc(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, x := range b {
		sum = sum>>8 ^ sums[byte(sum)^x]
	}
	return sum
}

var sums = func() (t [256]uint16) {
	for i := range t {
		sum := uint16(i)
		for range 8 {
			odd := sum & 1
			if sum >>= 1; odd == 1 {
				sum ^= 0xa001
			}
		}
		t[i] = sum
	}
	return t
}()
