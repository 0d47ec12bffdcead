package mqttlink

import (
	"slices"
	"time"

	"pithings/mqttlink/outbox"
)

// On a good network nothing is in the outbox but the message being published. Then
// it need not be handed from one goroutine to the next and be read back from the
// disk: Publish sends it itself, while it is being written. Whatever is out of the
// ordinary takes the usual way, through the sender.
//
// A message with a life does not even wait for that: somebody in this process waits for
// its effect, and would be gone with it. It is written a moment later, with others.

// stagedBox is an outbox whose messages have their place in the order before they
// are safe.
type stagedBox interface {
	Stage(r outbox.Record) (uint64, error)
	Settle(seq uint64) error
	SyncsAlways() bool // Settle waits for the disk
}

// direct appends r and sends it at once. It returns false, and has done nothing, if
// that cannot be done now.
func (l *Link) direct(r outbox.Record) (err error, ok bool) {
	box, staged := l.box.(stagedBox)
	s := l.now.Load()
	if !staged || s == nil || undated(r) || !s.wire.light(&r) || !s.sending.TryLock() {
		return nil, false
	}
	if free := s.free(&r); !free || r.QoS == 0 {
		ok = free && s.hand(r)
		s.sending.Unlock()
		return nil, ok
	}
	seq, err := l.lives.append(l.box, r, box.Stage)
	sent := err == nil && s.launch(seq, r)
	later := sent && r.Life > 0 && !box.SyncsAlways()
	if later {
		s.unsafe.Store(seq)
	}
	s.sending.Unlock()
	switch {
	case later:
		s.later()
	case err == nil:
		err = box.Settle(seq)
	}
	if !sent && Accepted(err) {
		l.wake()
	}
	return err, true
}

// lightBytes is what may be on its way, with the message, when one is sent directly: it
// fits into the kernel's send buffer (16 KiB at first, tcp(7) tcp_wmem), so that Publish
// never waits for the network.
const lightBytes = 4096

// light reports whether r can be given to the network without waiting for it.
func (w *wire) light(r *outbox.Record) bool {
	n := len(r.Topic) + len(r.Payload)
	if w.backlog == nil || n > lightBytes {
		return false
	}
	before, ok := w.backlog.Unsent()
	return ok && before+n <= lightBytes
}

// free reports whether nothing stands in the way of a message that is published now.
// s.sending is held.
func (s *session) free(r *outbox.Record) bool {
	l := s.l
	select {
	case <-s.ended:
		return false
	default:
	}
	switch o := &s.order; {
	case s.closed, o.ahead, o.suspect != 0, o.pos != l.box.NextSeq():
		return false
	case l.trial.careful, l.offended(r.Topic), !s.pace.caught && l.o.Drain > 0, s.stale():
		return false
	}
	return l.throttle.now(float64(len(r.Topic) + len(r.Payload)))
}

// hand gives a message with QoS 0 to the network, which is all that is promised: it
// need not be in the outbox for that. It reports whether the network has taken it.
// s.sending is held.
func (s *session) hand(r outbox.Record) bool {
	f := flight{r: r, sent: time.Now()}
	if f.tok = s.wire.publish(&r); f.tok.err != nil {
		return false
	}
	s.prove(f)
	s.l.count(func(st *Stats) { st.Acked++ })
	return true
}

// launch sends a message that has been staged, and reports whether it is on its way.
// s.sending is held.
func (s *session) launch(seq uint64, r outbox.Record) bool {
	if s.order.pos != seq { // another has overtaken it
		return false
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return false
	}
	r.Seq, r.Payload = seq, slices.Clone(r.Payload) // the flight keeps it
	f := flight{r: r, fate: sent, staged: true, sent: time.Now()}
	f.tok = s.wire.publish(&r)
	s.order.pos = seq + 1
	s.away(f)
	return s.prove(f)
}
