package mqttlink

import (
	"strings"
	"time"

	"pithings/mqttlink/outbox"
)

// order says which message of the outbox a session sends next. Usually that is the
// next one. With Options.LiveFirst what is published while the session lasts is
// ahead of what waited when it began, the backlog, which is sent in between.
type order struct {
	l        *Link
	pos      uint64 // of what comes in order: of the backlog as long as ahead is true
	ahead    bool   // there is a backlog, and what is live is ahead of it
	boundary uint64 // of the backlog: the first number behind it
	live     uint64 // of what is live
	suspect  uint64 // to be tried before all else; 0: none
}

// newOrder begins a session.
func (l *Link) newOrder() order {
	o, next := order{l: l}, l.box.NextSeq()
	if box, ok := l.box.(stagedBox); ok && next > 1 {
		// What was being published as the last session ended cannot be read before, and
		// would be passed over.
		_ = box.Settle(next - 1)
	}
	if l.o.LiveFirst {
		o.boundary = next
		o.ahead, o.live = true, o.boundary
		o.suspect = l.trial.message.seq // otherwise it would come up when all else has been sent
	}
	return o
}

// turn is a message whose turn it is.
type turn struct {
	outbox.Record
	ahead   bool // of others: it is acknowledged by itself
	history bool // it is of the backlog that live messages overtake
}

// next returns what comes next. It moves on when passed is called.
func (o *order) next() (t turn, ok bool, err error) {
	if o.suspect != 0 {
		if t.Record, ok, err = o.l.box.Next(o.suspect); err != nil || ok && t.Seq == o.suspect {
			t.ahead, t.history = true, o.history(&t.Record)
			return t, ok, err
		}
		o.suspect = 0 // it has left the box
	}
	if o.ahead {
		if t.Record, ok, err = o.l.box.Next(o.live); ok || err != nil {
			t.ahead = true
			return t, ok, err
		}
	}
	t.Record, ok, err = o.l.box.Next(o.pos)
	if o.ahead && err == nil && (!ok || t.Seq >= o.boundary) {
		// The backlog has been sent. What is live goes on in order.
		o.ahead, o.pos = false, o.live
		t.Record, ok, err = o.l.box.Next(o.pos)
	}
	t.history = ok && o.history(&t.Record)
	return t, ok, err
}

// history reports whether r goes to the topic for what is late: a command goes where
// it has always gone, or nowhere.
func (o *order) history(r *outbox.Record) bool { return r.Seq < o.boundary && r.Life == 0 }

// passed notes that t has been dealt with.
func (o *order) passed(t *turn) {
	switch {
	case t.Seq == o.suspect:
		o.suspect = 0
	case t.ahead:
		o.live = t.Seq + 1
	default:
		o.pos = t.Seq + 1
	}
}

// historyTopic is where a message of the backlog goes.
func (o *Options) historyTopic(topic string) string {
	return strings.ReplaceAll(o.HistoryTopic, "{topic}", topic)
}

// rename gives a message of the backlog its topic. A state that was to be kept by the
// broker is not any more: it is history.
func (l *Link) rename(t *turn) {
	if t.history && l.o.HistoryTopic != "" {
		t.Topic, t.Retain = l.o.historyTopic(t.Topic), false
	}
}

// next waits for the message whose turn it is, and for the subscriptions made before
// it. While there is none, others may send: the slot and s.sending, which are held
// when it is called, are given up meanwhile.
func (s *session) next() (t turn, ok bool) {
	o, pace := &s.order, &s.pace
	for {
		t, ok, err := o.next()
		switch {
		case err != nil:
			s.end(fault(Lost, err, "the outbox cannot be read (%v): the connection is opened again", err))
			return t, false
		case ok && o.ahead && !t.ahead && s.l.o.Drain > 0 && !pace.caught:
			// While the backlog waits for its turn something may come that is ahead of it.
			if wait := pace.due(); wait > 0 {
				select {
				case <-time.After(wait):
				case <-s.l.kick:
				case <-s.ended:
					return t, false
				}
				continue
			}
		case !ok:
			pace.rest()
			if !s.rest() {
				return t, false
			}
			continue
		}
		if !s.awaitTime(t.Record, o.ahead && !t.ahead) {
			select {
			case <-s.ended:
				return t, false
			default:
				continue // in the meantime the box may have dropped it
			}
		}
		s.l.rename(&t)
		return t, s.waitSettled()
	}
}

// rest waits until something is to be sent, and lets others send meanwhile. It
// returns false if the session ends first.
func (s *session) rest() bool {
	<-s.slots
	s.sending.Unlock()
	defer s.sending.Lock()
	select {
	case <-s.l.kick:
	case <-s.ended:
		return false
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.ended:
		return false
	}
	return true
}
