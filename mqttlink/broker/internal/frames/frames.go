// Package frames watches the packets of a client as they come in, so that too large
// ones are refused, and memory is reserved for large ones, before anything is
// allocated for them. It looks at the headers only (MQTT 3.1.1 and 5, section 2).
package frames

import (
	"errors"
	"fmt"
)

// Limits of a packet's parts, in bytes, but for publishes, whose size is the Guard's.
// They are far above what clients send: a CONNECT holds an id, a will and a password.
const (
	MaxOther      = 64 << 10 // of a packet that is no PUBLISH
	MaxProperties = 64 << 10 // of a PUBLISH; decoded they take twelve times that
)

// Errors for which a connection is closed.
var (
	ErrTooLarge = errors.New("packet too large")
	ErrNoMQTT   = errors.New("not MQTT")
)

// Packet types (section 2.2.1).
const (
	connect = 1
	publish = 3
	pingreq = 12
)

// state is the part of a packet that the next byte belongs to.
type state uint8

const (
	header state = iota
	length
	body
)

// Guard watches one connection. The zero value is not usable; set MaxPublish.
type Guard struct {
	MaxPublish int // bytes behind the fixed header of a PUBLISH

	Packets int // begun so far

	state     state
	kind      byte
	qos       byte
	shift     uint // of the length's next 7 bits
	left      int  // bytes of the packet that have not come
	size      int  // of the packet behind the fixed header
	connected bool // CONNECT was the first packet
	v5        bool

	pos   int  // in the body
	topic int  // length of the topic or protocol name
	props int  // length of the properties
	done  bool // nothing more to look at in this body
}

// Feed takes the bytes that came next. It returns the size of the packet that they
// end in, or 0 if they end with a packet.
func (g *Guard) Feed(b []byte) (size int, err error) {
	for len(b) > 0 {
		switch g.state {
		case header:
			err = g.begin(b[0])
			b = b[1:]
		case length:
			err = g.grow(b[0])
			b = b[1:]
		case body:
			n := min(len(b), g.left)
			for i := 0; i < n && !g.done; i++ {
				if err := g.look(b[i]); err != nil {
					return 0, err
				}
			}
			if g.left -= n; g.left == 0 {
				g.state = header
			}
			b = b[n:]
		}
		if err != nil {
			return 0, err
		}
	}
	if g.state != body {
		return 0, nil
	}
	return g.size, nil
}

// Whole reports whether the last packet has come whole.
func (g *Guard) Whole() bool { return g.state == header }

func (g *Guard) begin(b byte) error {
	g.kind, g.qos = b>>4, b>>1&3
	switch {
	case g.connected:
	case b == 0x16: // a handshake record (RFC 8446 section 5.1)
		return fmt.Errorf("%w: the client encrypts, which this port does not", ErrNoMQTT)
	case b != connect<<4:
		return fmt.Errorf("%w: a connection begins with CONNECT", ErrNoMQTT)
	}
	g.connected = true
	g.Packets++
	g.state, g.shift, g.size = length, 0, 0
	return nil
}

// grow reads the remaining length, 7 bits at a time.
func (g *Guard) grow(b byte) error {
	if g.shift > 21 {
		return fmt.Errorf("%w: the length of a packet has more than 4 bytes", ErrNoMQTT)
	}
	g.size |= int(b&0x7f) << g.shift
	g.shift += 7
	if b&0x80 != 0 {
		return nil
	}
	if g.kind == pingreq && g.size > 0 {
		return fmt.Errorf("%w: a PINGREQ of %d bytes, which has none", ErrNoMQTT, g.size)
	}
	limit := MaxOther
	if g.kind == publish {
		limit = g.MaxPublish
	}
	if g.size > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, g.size, limit)
	}
	g.left, g.pos, g.topic, g.props, g.shift = g.size, 0, 0, 0, 0
	g.done = g.kind != connect && (g.kind != publish || !g.v5)
	if g.state = body; g.left == 0 {
		g.state = header
	}
	return nil
}

// look reads the level of a CONNECT and the length of a PUBLISH's properties.
func (g *Guard) look(b byte) error {
	pos := g.pos
	g.pos++
	ends := 2 + g.topic // of name or topic
	switch {
	case pos < 2:
		g.topic = g.topic<<8 | int(b)
	case pos < ends:
	case g.kind == connect:
		g.v5, g.done = b&0x7f == 5, true
	case pos < ends+2 && g.qos > 0: // packet identifier
	default:
		g.props |= int(b&0x7f) << g.shift
		if g.shift += 7; g.shift > 28 {
			return fmt.Errorf("%w: the length of properties has more than 4 bytes", ErrNoMQTT)
		}
		if b&0x80 == 0 {
			g.done = true
		}
		if g.props > MaxProperties {
			return fmt.Errorf("%w: properties of %d bytes, the limit is %d", ErrTooLarge, g.props, MaxProperties)
		}
	}
	return nil
}
