package store

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Message is one that the broker keeps. However many queues it is in, its topic and
// payload are in memory once.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	Origin  string              // id of the client that sent it
	Own     bool                // from this process
	Props   *packets.Properties // of MQTT 5; nil: none
	Expires int64               // Unix seconds; 0: never

	held int64 // bytes that it keeps from being collected, without Topic and Payload
	refs int   // queues, and the retained messages, that it is in
}

// NewMessage returns the message of a packet as the library has decoded it. Topic and
// payload are parts of the packet's bytes, which it keeps.
func NewMessage(pk *packets.Packet) *Message {
	m := &Message{Topic: pk.TopicName, Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Retain: pk.FixedHeader.Retain, Origin: pk.Origin, Expires: pk.Expiry}
	p := &pk.Properties
	if p.PayloadFormatFlag || p.MessageExpiryInterval > 0 || p.ContentType != "" || p.ResponseTopic != "" || len(p.CorrelationData) > 0 || len(p.User) > 0 {
		c := p.Copy(false)
		c.SubscriptionIdentifier = nil
		m.Props = &c
		// each string of the properties has a header of 16 bytes besides its own
		m.held = propertiesCost + int64(len(p.ContentType)+len(p.ResponseTopic)+2*len(p.CorrelationData))
		for _, u := range p.User {
			m.held += int64(len(u.Key) + len(u.Val) + 64)
		}
	}
	return m
}

// size is what the message costs, however many queues it is in. Go's allocator rounds
// up by an eighth at most, and large sizes to 8 KiB.
func (m *Message) size() int64 {
	n := int64(len(m.Topic) + len(m.Payload))
	return messageCost + n + min(n/8, 8<<10) + m.held
}

func (m *Message) expired(now time.Time) bool { return m.Expires > 0 && m.Expires <= now.Unix() }

// header appends the bytes of a PUBLISH before its payload.
func (m *Message) header(b []byte, sl *slot, v5 bool, now time.Time) []byte {
	var props []byte
	if v5 {
		props = m.properties(sl, now)
	}
	first := byte(packets.Publish<<4) | sl.qos<<1
	if sl.dup {
		first |= 8
	}
	if sl.retain {
		first |= 1
	}
	n := 2 + len(m.Topic) + len(props) + len(m.Payload)
	if sl.qos > 0 {
		n += 2
	}
	b = append(b, first)
	b = appendLength(b, n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Topic)))
	b = append(b, m.Topic...)
	if sl.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, sl.id)
	}
	return append(b, props...)
}

// properties returns those of MQTT 5 with their length.
func (m *Message) properties(sl *slot, now time.Time) []byte {
	if m.Props == nil && len(sl.ids) == 0 && m.Expires == 0 {
		return []byte{0}
	}
	var p packets.Properties
	if m.Props != nil {
		p = *m.Props
	}
	p.SubscriptionIdentifier = sl.ids
	p.MessageExpiryInterval = 0
	if m.Expires > 0 {
		p.MessageExpiryInterval = uint32(max(1, m.Expires-now.Unix())) // [MQTT-3.3.2-6]
	}
	var b bytes.Buffer
	p.Encode(packets.Publish, packets.Mods{AllowResponseInfo: true}, &b, 0)
	return b.Bytes()
}

// appendLength appends a variable byte integer (MQTT 5 section 1.5.5).
func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
