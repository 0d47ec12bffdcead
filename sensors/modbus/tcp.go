package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// tcp exchanges frames with a number each (MODBUS Messaging on TCP/IP Implementation Guide
// V1.0b, section 3.1.3), so that a late answer is known as such.
type tcp struct {
	net.Conn
	number uint16
	in     []byte // of a frame that has not come completely
	silent int    // requests without an answer, one after the other
}

const (
	header   = 7   // number, protocol, length and unit
	maxFrame = 260 // bytes
	// maxStray is how many frames that answer nothing are read for one request.
	maxStray = 64
	// maxSilent is after how many requests without an answer a connection is taken for dead:
	// the network may have lost its other end.
	maxSilent = 3
)

func (c *tcp) exchange(ctx context.Context, unit byte, q *request, wait time.Duration) ([]byte, error) {
	c.number++
	frame := binary.BigEndian.AppendUint16(make([]byte, 0, header+len(q.pdu)), c.number)
	frame = binary.BigEndian.AppendUint16(append(frame, 0, 0), uint16(1+len(q.pdu)))
	frame = append(append(frame, unit), q.pdu...)
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	for range maxStray {
		number, from, pdu, err := c.frame(ctx)
		switch {
		case errors.Is(err, ErrSilent):
			if c.silent++; c.silent >= maxSilent {
				return nil, &lost{fmt.Errorf("%w to %d requests, one after the other", ErrSilent, c.silent)}
			}
			return nil, err
		case err != nil:
			return nil, err
		case number != c.number:
			continue // late
		}
		c.silent = 0
		if from != unit {
			return nil, fmt.Errorf("%w: unit %d", ErrOtherUnit, from)
		}
		return pdu, nil
	}
	return nil, &lost{fmt.Errorf("%w: %d frames that answer nothing", ErrFrame, maxStray)}
}

// frame reads one frame.
func (c *tcp) frame(ctx context.Context) (number uint16, unit byte, pdu []byte, err error) {
	for {
		if len(c.in) >= header {
			n := 6 + int(binary.BigEndian.Uint16(c.in[4:]))
			if c.in[2] != 0 || c.in[3] != 0 || n < header+2 || n > maxFrame {
				return 0, 0, nil, &lost{fmt.Errorf("%w: it is not Modbus that begins with % x", ErrFrame, c.in[:header])}
			}
			if len(c.in) >= n {
				number, unit = binary.BigEndian.Uint16(c.in), c.in[6]
				pdu = append(pdu, c.in[header:n]...)
				c.in = append(c.in[:0], c.in[n:]...)
				return number, unit, pdu, nil
			}
		}
		if ctx.Err() != nil { // which sets the deadline, perhaps before exchange did
			return 0, 0, nil, context.Cause(ctx)
		}
		var b [maxFrame]byte
		n, err := c.Read(b[:])
		c.in = append(c.in, b[:n]...)
		switch {
		case n > 0 || err == nil:
		case ctx.Err() != nil:
			return 0, 0, nil, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, 0, nil, ErrSilent
		default:
			return 0, 0, nil, err
		}
	}
}
