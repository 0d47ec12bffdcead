package packet

import (
	"encoding/binary"
	"errors"
)

// Control packet types (section 2.2.1): the upper half of a packet's first byte.
const (
	Connect    = 1
	Connack    = 2
	Publish    = 3
	Puback     = 4
	Subscribe  = 8
	Suback     = 9
	Pingreq    = 12
	Pingresp   = 13
	Disconnect = 14
)

// Refused is a SUBACK's return code for a filter that the broker does not take.
const Refused = 0x80

// Errors of what a broker sends.
var (
	ErrLength    = errors.New("a packet of impossible length")
	ErrMalformed = errors.New("a malformed packet")
)

// maxHeader is the length of the longest fixed header.
const maxHeader = 5

// Header reads the fixed header with which b begins (section 2.2): the packet's first byte,
// the length n of its body, and the size of the header itself. The size is 0 if more bytes
// are needed.
func Header(b []byte) (first byte, n, size int, err error) {
	for i := 1; i < len(b) && i < maxHeader; i++ {
		n |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i]&0x80 == 0 {
			return b[0], n, i + 1, nil
		}
	}
	if len(b) >= maxHeader {
		return b[0], 0, 0, ErrLength
	}
	return 0, 0, 0, nil
}

// ParsePublish reads the body of a PUBLISH with QoS 0 or 1. The payload is part of body.
func ParsePublish(first byte, body []byte) (Message, error) {
	m := Message{QoS: first >> 1 & 3, Retain: first&1 != 0, Dup: first&8 != 0}
	if len(body) < 2 || m.QoS > 1 {
		return Message{}, ErrMalformed
	}
	topic := int(binary.BigEndian.Uint16(body)) + 2
	at := topic + 2*int(m.QoS)
	if at > len(body) {
		return Message{}, ErrMalformed
	}
	m.Topic, m.Payload = string(body[2:topic]), body[at:]
	if m.QoS > 0 {
		m.ID = binary.BigEndian.Uint16(body[topic:])
	}
	return m, nil
}

// ParseID reads the body of a packet that has an identifier and nothing else: a PUBACK.
func ParseID(body []byte) (uint16, error) {
	if len(body) != 2 {
		return 0, ErrMalformed
	}
	return binary.BigEndian.Uint16(body), nil
}

// ParseSuback reads the body of a SUBACK: the identifier, and a return code for each filter.
// The codes are part of body.
func ParseSuback(body []byte) (id uint16, codes []byte, err error) {
	if len(body) < 3 {
		return 0, nil, ErrMalformed
	}
	return binary.BigEndian.Uint16(body), body[2:], nil
}

// ParseConnack reads the body of a CONNACK: its return code, 0 for a client that is let in.
func ParseConnack(body []byte) (code byte, err error) {
	if len(body) != 2 {
		return 0, ErrMalformed
	}
	return body[1], nil
}
