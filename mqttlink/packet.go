package mqttlink

import (
	"encoding/binary"
	"io"

	"pithings/mqttlink/outbox"
)

// Messages do not pass through the client library, which hands each from goroutine to
// goroutine, four times on the way in and twice on the way out: a flow that answers an
// event would spend most of its time there. The library connects, subscribes and keeps
// the connection alive; wire reads and writes PUBLISH and PUBACK itself.

// receipt tells what became of a message that was sent: when done is closed it has been
// acknowledged; or written, if it has QoS 0, unless err says why not. What becomes of it
// when the connection is lost first, nothing tells.
type receipt struct {
	done chan struct{}
	err  error
}

// Done implements mqtt.Token's method.
func (r *receipt) Done() <-chan struct{} { return r.done }

// Packet identifiers of messages are the upper half of all. The library counts upwards
// from 1 with each SUBSCRIBE.
const firstID = 0x8000

// publish sends a message.
func (w *wire) publish(r *outbox.Record) *receipt {
	t := &receipt{done: make(chan struct{})}
	w.write.Lock()
	defer w.write.Unlock()
	b := w.unsent()
	if r.QoS == 0 {
		b = appendPublish(b, r, 0)
	} else {
		b = appendPublish(b, r, w.expect(t))
	}
	if _, err := w.send(b); r.QoS == 0 {
		t.err = err
		close(t.done)
	}
	return t
}

// expect gives a message an identifier that none has which is on its way.
func (w *wire) expect(t *receipt) uint16 {
	w.awaiting.Lock()
	defer w.awaiting.Unlock()
	for {
		w.id = w.id + 1 | firstID
		if _, taken := w.receipts[w.id]; !taken {
			w.receipts[w.id] = t
			return w.id
		}
	}
}

// appendPublish appends the packet of a message (MQTT 3.1.1 section 3.3).
func appendPublish(b []byte, r *outbox.Record, id uint16) []byte {
	head := byte(typePublish<<4) | r.QoS<<1
	if r.Retain {
		head |= 1
	}
	n := 2 + len(r.Topic) + len(r.Payload)
	if r.QoS > 0 {
		n += 2
	}
	b = append(b, head)
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	b = append(b, byte(n))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Topic)))
	b = append(b, r.Topic...)
	if r.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, r.Payload...)
}

// puback reads the rest of a PUBACK.
func (w *wire) puback(n int) error {
	var id [2]byte
	if n != len(id) {
		return &talkError{"the broker sent a packet that no broker sends"}
	}
	if _, err := io.ReadFull(w.in, id[:]); err != nil {
		return err
	}
	w.awaiting.Lock()
	t := w.receipts[binary.BigEndian.Uint16(id[:])]
	delete(w.receipts, binary.BigEndian.Uint16(id[:]))
	w.awaiting.Unlock()
	if t != nil {
		close(t.done)
		w.landed()
	}
	return nil
}

// message reads the rest of a PUBLISH of n bytes, hands it on and acknowledges it.
func (w *wire) message(t byte, n int) error {
	body := make([]byte, n)
	if _, err := io.ReadFull(w.in, body); err != nil {
		return err
	}
	malformed := &talkError{"the broker sent a malformed PUBLISH"}
	if n < 2 {
		return malformed
	}
	topic := int(binary.BigEndian.Uint16(body)) + 2
	m := Message{QoS: t >> 1 & 3, Retain: t&1 != 0}
	at := topic + 2*int(m.QoS)
	if at > n {
		return malformed
	}
	m.Topic, m.Payload = string(body[2:topic]), body[at:]
	w.deliver(m)
	if m.QoS > 0 {
		w.acknowledge(body[topic], body[topic+1])
	}
	return nil
}
