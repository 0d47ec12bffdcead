package mqttlink

import (
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
)

// order finds the message of the outbox that a session sends next. Usually that is the next
// one. With Options.LiveFirst what is published while the session lasts is ahead of what was
// queued when it began, the backlog, which is sent in between.
type order struct {
	box      outbox.Box
	pos      uint64 // of what comes in order: of the backlog as long as ahead is true
	ahead    bool   // there is a backlog, and live messages are ahead of it
	boundary uint64 // of the backlog: the first number behind it
	live     uint64 // of the live messages
	suspect  uint64 // to be probed before all else; 0: none
}

// newOrder begins a session. suspect is the message to be probed; 0: none.
func newOrder(box outbox.Box, liveFirst bool, suspect uint64) order {
	o, next := order{box: box}, box.NextSeq()
	if next > 1 {
		// What was being published as the last session ended cannot be read before, and
		// would be passed over.
		_ = box.Settle(next - 1)
	}
	if box.Len() == 0 {
		o.pos = next // nothing is before what is published now, which may be sent at once
	}
	if liveFirst {
		o.boundary = next
		o.ahead, o.live = true, o.boundary
		o.suspect = suspect // otherwise it would come up when all else has been sent
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
		if t.Record, ok, err = o.box.Next(o.suspect); err != nil || ok && t.Seq == o.suspect {
			t.ahead, t.history = true, o.history(&t.Record)
			return t, ok, err
		}
		o.suspect = 0 // it has left the box
	}
	if o.ahead {
		if t.Record, ok, err = o.box.Next(o.live); ok || err != nil {
			t.ahead = true
			return t, ok, err
		}
	}
	t.Record, ok, err = o.box.Next(o.pos)
	if o.ahead && err == nil && (!ok || t.Seq >= o.boundary) {
		// The backlog has been sent. Live messages continue in order.
		o.ahead, o.pos = false, o.live
		t.Record, ok, err = o.box.Next(o.pos)
	}
	t.history = ok && o.history(&t.Record)
	return t, ok, err
}

// history reports whether r goes to the topic for what is late: a command goes where it has
// always gone, or is dropped.
func (o *order) history(r *outbox.Record) bool { return r.Seq < o.boundary && r.Expiry == 0 }

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

// backlog reports whether t is of the backlog while live messages are ahead of it.
func (o *order) backlog(t *turn) bool { return o.ahead && !t.ahead }

// isLast reports whether seq is the next number in order, and nothing is ahead of it or in
// between.
func (o *order) isLast(seq uint64) bool { return !o.ahead && o.suspect == 0 && o.pos == seq }

// With Options.LiveFirst a message that is late goes to the topic of history, and is not
// kept by the broker there. A state would then stay as it was before the connection was
// lost until it changes again. So the newest retained message of each topic goes to its own
// topic, retained, late or not.

// maxStates is how many topics with retained messages are tracked. On a link with more,
// those of the others are history.
const maxStates = 4096

// states knows the newest retained message of each topic, and where late messages go. It
// belongs to the sender.
type states struct {
	box       outbox.Box
	liveFirst bool
	history   string // the topic of history, a template; "": none

	newest map[string]uint64 // record, by topic
	seen   uint64            // records of the outbox before it have been looked at
}

// place gives a message of the backlog its topic. A state that the broker was to keep is
// kept no more: it is history, unless it is the newest.
func (n *states) place(t *turn) {
	if !t.history || n.history == "" {
		n.sent(&t.Record, t.Seq)
		return
	}
	if t.Retain && n.isNewest(&t.Record) {
		return
	}
	t.Topic, t.Retain = topic.ExpandOwn(n.history, t.Topic), false
}

// sent notes what is sent, if it is a state: it may have left the outbox when that is
// looked through.
func (n *states) sent(r *outbox.Record, seq uint64) {
	if r.Retain && n.liveFirst {
		n.note(r.Topic, seq)
	}
}

// note notes a retained message. That of a later record counts.
func (n *states) note(topic string, seq uint64) {
	if n.newest == nil {
		n.newest = map[string]uint64{}
	}
	if was, known := n.newest[topic]; seq > was && (known || len(n.newest) < maxStates) {
		n.newest[topic] = seq
	}
}

// isNewest reports whether r is the newest retained message of its topic. The outbox is
// looked through for that, once, when the first of a backlog comes up.
func (n *states) isNewest(r *outbox.Record) bool {
	for end := n.box.NextSeq(); n.seen < end; {
		x, ok, err := n.box.Next(n.seen)
		if err != nil || !ok {
			break
		}
		if x.Retain {
			n.note(x.Topic, x.Seq)
		}
		n.seen = x.Seq + 1
	}
	return n.newest[r.Topic] == r.Seq
}
