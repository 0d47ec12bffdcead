package mqttlink

import (
	"log/slog"
	"runtime"
	"time"
)

// handedBox is an outbox that remembers, beyond the end of the process, which
// messages with QoS 0 have been given to the network although they are still in
// the box, behind others.
type handedBox interface {
	SetHanded(seq uint64) // saved with the next Ack
	Handed() uint64
}

// lazyBox is an outbox whose acknowledgements take effect at once, and outlive the
// process when they have been saved.
type lazyBox interface {
	AckLater(seq uint64) error
	AckOneLater(seq uint64) error
	Save()
}

// saveEvery is how many acknowledgements are saved together at most. Their slots stay
// taken until then, so that no more than a window is sent again after a kill.
const saveEvery = 8

// acknowledge takes what has landed out of the outbox, in the order in which it was
// sent. When the session ends it goes on with what has arrived, up to the first gap.
func (s *session) acknowledge() {
	a := acknowledger{s: s, progress: s.began}
	defer a.save()
	defer s.makeSafe()
	for {
		s.noted.Store(false) // before it is looked: what comes later is told
		s.makeSafe()
		if !a.take() {
			return
		}
		a.save()
		select {
		case <-s.landed:
		case <-s.soon.C:
		case <-s.overdue.C:
			a.watch()
		case <-s.ended:
			a.finish()
			return
		}
	}
}

// acknowledger is the state of acknowledge. It is not told what is sent, which would
// wake it twice for each message, but what has landed, and when the time is up.
type acknowledger struct {
	s        *session
	head     flight // the next to land, if there is one
	waits    bool
	progress time.Time // when the last one landed
	unsaved  int
}

// take deals with what has landed. It returns false when no more is sent.
func (a *acknowledger) take() bool {
	for {
		if !a.waits {
			select {
			case f, ok := <-a.s.flights:
				if !ok {
					return false
				}
				a.head, a.waits = f, true
			default:
				return true
			}
		}
		if a.head.fate == sent {
			if !done(a.head.tok) {
				return true
			}
			if err := a.head.tok.err; err != nil {
				a.s.end(err)
				return true
			}
		}
		a.waits = false
		a.arrived(a.head)
	}
}

func (a *acknowledger) arrived(f flight) {
	s := a.s
	a.progress = time.Now()
	s.noteHanded()
	if f.fate == sent && f.r.QoS > 0 {
		s.acks++
	}
	s.l.landed(f)
	a.unsaved++
	if len(s.flights) == 0 {
		runtime.Gosched() // who has waited for this goes on first
	}
	if a.unsaved >= min(saveEvery, s.l.o.Window) {
		a.save()
	}
}

// save saves what was taken out, and gives its slots back.
func (a *acknowledger) save() {
	if box, ok := a.s.l.box.(lazyBox); ok && a.unsaved > 0 {
		box.Save()
	}
	for ; a.unsaved > 0; a.unsaved-- {
		<-a.s.slots
	}
}

// watch ends the session if nothing has landed for too long.
func (a *acknowledger) watch() {
	s, limit := a.s, a.s.l.ackTimeout()
	s.watched.Store(false)
	if !a.take() || !a.waits {
		return
	}
	since := a.progress
	if a.head.sent.After(since) {
		since = a.head.sent
	}
	if left := time.Until(since.Add(limit)); left > 0 {
		s.watched.Store(true)
		s.overdue.Reset(left)
		return
	}
	s.end(fault(NoAck, nil, "%s did not acknowledge a message within %s; the connection is opened again and the message repeated: if that does not end, the broker throttles or forbids it",
		s.about.endpoint, limit))
}

// watch sees to it that acknowledge looks whether a message has landed.
func (s *session) watch() {
	if !s.watched.Swap(true) {
		s.overdue.Reset(s.l.ackTimeout())
	}
}

// note tells acknowledge that something has landed.
func (s *session) note() {
	select {
	case s.landed <- struct{}{}:
	default: // it has been told already
	}
}

// behind is how long a PUBACK waits for others to be noted with it, and a message with a
// life for others to be written with it, if nobody waits for them: a flow has more to do
// just then.
const behind = 2 * time.Millisecond

// acknowledged tells acknowledge of a PUBACK, soon.
func (s *session) acknowledged() {
	switch n := len(s.slots); {
	case s.l.flushing.Load() > 0, n >= min(saveEvery, s.l.o.Window):
		s.note()
	default:
		s.later()
	}
}

// later wakes acknowledge in a moment.
func (s *session) later() {
	if !s.noted.Swap(true) {
		s.soon.Reset(behind)
	}
}

// makeSafe sees to it that what Publish has not waited for is written. If it cannot be, the
// outbox holds it, and says so.
func (s *session) makeSafe() {
	if seq := s.unsafe.Swap(0); seq != 0 {
		_ = s.l.box.(stagedBox).Settle(seq)
	}
}

// finish deals with what the session has left.
func (a *acknowledger) finish() {
	gap := false
	one := func(f flight) {
		gap = gap || f.fate == sent && (!done(f.tok) || f.tok.err != nil)
		if !gap {
			a.arrived(f)
			return
		}
		a.s.stranded = append(a.s.stranded, f)
	}
	if a.waits {
		a.waits = false
		one(a.head)
	}
	for f := range a.s.flights {
		if a.unsaved > 0 && len(a.s.flights) == 0 {
			a.save()
		}
		one(f)
	}
}

// noteHanded finds out which messages with QoS 0 have been given to the network:
// those must not be sent again, also if they are behind one that must.
func (s *session) noteHanded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ; n < len(s.unconfirmed) && done(s.unconfirmed[n].tok); n++ {
		f := s.unconfirmed[n]
		if f.tok.err != nil {
			continue
		}
		if s.l.o.LiveFirst { // what was handed over is not all before one number
			s.l.ack(f)
		} else if f.r.Seq > s.l.handed {
			s.l.handed = f.r.Seq
			if b, ok := s.l.box.(handedBox); ok {
				b.SetHanded(f.r.Seq)
			}
		}
	}
	s.unconfirmed = s.unconfirmed[:copy(s.unconfirmed, s.unconfirmed[n:])]
}

func done(t interface{ Done() <-chan struct{} }) bool {
	select {
	case <-t.Done():
		return true
	default:
		return false
	}
}

// noteStranded remembers what the session has sent without an answer.
func (s *session) noteStranded() {
	if len(s.l.stranded) > 10*s.l.o.Window { // those that gave way in the outbox since
		clear(s.l.stranded)
	}
	for _, f := range s.stranded {
		if f.fate == sent {
			s.l.stranded[f.r.Seq] = true
		}
	}
}

// ack takes a record out of the outbox, and reports whether that could be noted.
func (l *Link) ack(f flight) bool {
	if box, ok := l.box.(stagedBox); ok && f.staged {
		_ = box.Settle(f.r.Seq) // the answer may come before the message is on the disk
	}
	all, one := l.box.Ack, l.box.AckOne
	if box, ok := l.box.(lazyBox); ok {
		all, one = box.AckLater, box.AckOneLater
	}
	ack := all
	if f.ahead || f.r.QoS == 0 && l.o.LiveFirst {
		ack = one
	}
	if err := ack(f.r.Seq); err != nil {
		l.quiet.say(slog.LevelError, "ack", "outbox cannot note what was delivered: it will be sent again", "error", err)
		return false
	}
	return true
}

// landed takes a record out of the outbox.
func (l *Link) landed(f flight) {
	if f.fate == barred {
		l.setAside(f.r, "its topic is barred for the time being, because the broker closed the connection upon earlier messages to it: "+l.o.Limits.permission(f.r.Topic, false)+" is most likely not allowed", 0)
	}
	if !l.ack(f) {
		return
	}
	l.lives.forget(f.r)
	if f.fate == sent && f.r.QoS > 0 {
		l.pardon(f.r.Topic)
	}
	empty := l.box.Len() == 0
	l.mu.Lock()
	switch f.fate {
	case sent, handed:
		l.stats.Acked++
	case expired:
		l.stats.Expired++
	}
	if empty {
		close(l.emptied)
		l.emptied = make(chan struct{})
	}
	l.mu.Unlock()
	if f.fate == expired {
		l.quiet.say(slog.LevelInfo, "expired", "message dropped: its life had passed before it could be sent", "topic", clip(f.r.Topic), "life", f.r.Life)
	}
}
