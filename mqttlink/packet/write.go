package packet

import "encoding/binary"

// Message is a PUBLISH (MQTT 3.1.1 section 3.3).
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // 0 or 1
	Retain  bool
	Dup     bool   // received: the broker may have sent it before
	ID      uint16 // received with QoS 1: the packet identifier
}

// Login is a CONNECT with a clean session (section 3.1).
type Login struct {
	ClientID  string
	Username  string // none if empty
	Password  string // only with a user name; none if empty
	KeepAlive uint16 // seconds; 0: the broker expects nothing
	Will      *Message
}

// Filter is what a SUBSCRIBE asks for.
type Filter struct {
	Topic string
	QoS   byte
}

// AppendConnect appends a CONNECT.
func AppendConnect(b []byte, l *Login) []byte {
	const (
		cleanSession = 1 << 1
		will         = 1 << 2
		willRetain   = 1 << 5
		password     = 1 << 6
		username     = 1 << 7
	)
	flags := byte(cleanSession)
	n := 10 + 2 + len(l.ClientID)
	if w := l.Will; w != nil {
		flags |= will | w.QoS<<3
		if w.Retain {
			flags |= willRetain
		}
		n += 2 + len(w.Topic) + 2 + len(w.Payload)
	}
	if l.Username != "" {
		flags |= username
		n += 2 + len(l.Username)
	}
	if l.Username != "" && l.Password != "" {
		flags |= password
		n += 2 + len(l.Password)
	}
	b = appendLength(append(b, Connect<<4), n)
	b = append(b, 0, 4, 'M', 'Q', 'T', 'T', 4, flags)
	b = binary.BigEndian.AppendUint16(b, l.KeepAlive)
	b = appendText(b, l.ClientID)
	if w := l.Will; w != nil {
		b = appendText(appendText(b, w.Topic), w.Payload)
	}
	if flags&username != 0 {
		b = appendText(b, l.Username)
	}
	if flags&password != 0 {
		b = appendText(b, l.Password)
	}
	return b
}

// AppendPublish appends the packet of a message. The identifier is of one with QoS 1.
func AppendPublish(b []byte, m *Message, id uint16) []byte {
	head := byte(Publish<<4) | m.QoS<<1
	if m.Retain {
		head |= 1
	}
	n := 2 + len(m.Topic) + len(m.Payload)
	if m.QoS > 0 {
		n += 2
	}
	b = appendLength(append(b, head), n)
	b = appendText(b, m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, m.Payload...)
}

// AppendSubscribe appends a SUBSCRIBE (section 3.8).
func AppendSubscribe(b []byte, id uint16, filters []Filter) []byte {
	n := 2
	for _, f := range filters {
		n += 2 + len(f.Topic) + 1
	}
	b = appendLength(append(b, Subscribe<<4|2), n)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, f := range filters {
		b = append(appendText(b, f.Topic), f.QoS)
	}
	return b
}

// AppendPuback appends a PUBACK (section 3.4).
func AppendPuback(b []byte, id uint16) []byte {
	return append(b, Puback<<4, 2, byte(id>>8), byte(id))
}

// AppendPingreq appends a PINGREQ (section 3.12).
func AppendPingreq(b []byte) []byte { return append(b, Pingreq<<4, 0) }

// AppendDisconnect appends a DISCONNECT (section 3.14).
func AppendDisconnect(b []byte) []byte { return append(b, Disconnect<<4, 0) }

// appendLength appends a remaining length (section 2.2.3).
func appendLength(b []byte, n int) []byte {
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// appendText appends a string, or binary data, with its length (section 1.5.3).
func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
