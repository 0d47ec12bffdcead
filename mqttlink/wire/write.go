package wire

import (
	"runtime"
	"time"

	"pithings/mqttlink/packet"
)

// Receipt shows what became of a message that was sent: it is done when the message has been
// acknowledged, or, with QoS 0, when it has been written. When the connection is lost first,
// it is never done.
type Receipt struct {
	done chan struct{}
	err  error // set before done is closed
}

// Done returns a channel that is closed when the receipt is done.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Err returns why a message with QoS 0 could not be written. Call it when Done is closed.
func (r *Receipt) Err() error { return r.err }

// IsDone reports whether the receipt is done.
func (r *Receipt) IsDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Packet identifiers of messages are the upper half of all. The library counts upwards
// from 1 with each SUBSCRIBE.
const firstID = 0x8000

// Publish writes a message. It waits for the network for at most the write time-out.
func (w *Conn) Publish(m *Message) *Receipt {
	t := &Receipt{done: make(chan struct{})}
	w.write.Lock()
	defer w.write.Unlock()
	b := w.unsent()
	if m.QoS == 0 {
		b = packet.AppendPublish(b, m, 0)
	} else {
		b = packet.AppendPublish(b, m, w.expect(t))
	}
	if _, err := w.send(b); m.QoS == 0 {
		t.err = err
		close(t.done)
	}
	return t
}

// expect gives a message an identifier that none has which is in flight.
func (w *Conn) expect(t *Receipt) uint16 {
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

// lightBytes is what may be unsent, with the message, for it to be light: it fits into the
// kernel's send buffer (16 KiB at first, tcp(7) tcp_wmem), so that Publish does not wait for
// the network.
const lightBytes = 4096

// Light reports whether a message of n bytes, topic and payload, can be written without
// waiting for the network.
func (w *Conn) Light(n int) bool {
	if w.o.Gauge == nil || n > lightBytes {
		return false
	}
	before, ok := w.o.Gauge.Unsent()
	return ok && before+n <= lightBytes
}

// maxAcks is how many bytes of PUBACKs wait for something to go with. A broker whose
// packets never end where our buffer does would have them pile up otherwise.
const maxAcks = 4096

// acknowledge makes a PUBACK (MQTT 3.1.1 section 3.4).
func (w *Conn) acknowledge(id uint16) error {
	w.write.Lock()
	w.acks = packet.AppendPuback(w.acks, id)
	full := len(w.acks) >= maxAcks
	w.write.Unlock()
	w.due = true
	if full {
		return w.flush()
	}
	return nil
}

// flush sends the PUBACKs that have gone with nothing else. Handlers that answer at
// once have the first turn: then PUBACK and answer are one segment and one TLS record.
func (w *Conn) flush() error {
	w.due = false
	runtime.Gosched()
	w.write.Lock()
	defer w.write.Unlock()
	if len(w.acks) == 0 {
		return nil
	}
	_, err := w.send(w.unsent())
	return err
}

// Write sends a packet, or fails after the write time-out.
func (w *Conn) Write(p []byte) (int, error) {
	w.write.Lock()
	defer w.write.Unlock()
	b := w.unsent()
	before := len(b)
	n, err := w.send(append(b, p...))
	return max(n-before, 0), err
}

// unsent returns the PUBACKs that are due, to be sent with what follows. w.write is held.
func (w *Conn) unsent() []byte {
	b := append(w.out[:0], w.acks...)
	w.acks = w.acks[:0]
	return b
}

// maxOut is how much memory for packets is kept between them, in bytes.
const maxOut = 64 << 10

// send writes b, or fails after the write time-out. w.write is held.
func (w *Conn) send(b []byte) (int, error) {
	if cap(b) <= maxOut {
		w.out = b
	}
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.o.WriteTimeout)); err != nil {
		return 0, w.broken(err)
	}
	n, err := w.Conn.Write(b)
	if err != nil {
		return n, w.broken(err)
	}
	// TLS may have to write while it reads (a key update): an old deadline
	// must not make that fail. Whatever comes of it, the packet has been sent.
	_ = w.Conn.SetWriteDeadline(time.Time{})
	return n, nil
}

// Hurry bounds a write that is in progress.
func (w *Conn) Hurry(d time.Duration) { _ = w.Conn.SetWriteDeadline(time.Now().Add(d)) }

// SetWriteDeadline does nothing: Write sets its own.
func (w *Conn) SetWriteDeadline(time.Time) error { return nil }
