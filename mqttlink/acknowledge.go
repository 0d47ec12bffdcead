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

// acknowledge waits at the head of the flights and takes what has landed out of
// the outbox. When the session ends it goes on with what has arrived, up to the
// first gap.
func (s *session) acknowledge() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	progress := s.began
	gap := false
	unsaved := 0
	save := func() {
		if box, ok := s.l.box.(lazyBox); ok && unsaved > 0 {
			box.Save()
		}
		for ; unsaved > 0; unsaved-- {
			<-s.slots
		}
	}
	defer save()
	for f := range s.flights {
		if f.fate == sent && !done(f.tok) {
			save() // before waiting
		}
		if !gap && s.arrived(f, progress, timer) {
			if f.fate == sent && f.r.QoS > 0 {
				s.acks++
			}
			progress = time.Now()
			s.noteHanded()
			if f.fate == sent {
				s.flying.Add(-flightBytes(&f.r))
			}
			s.l.landed(f)
			unsaved++
			if len(s.flights) == 0 {
				runtime.Gosched() // who has waited for this goes on first
			}
			if unsaved >= min(saveEvery, s.l.o.Window) || len(s.flights) == 0 {
				save()
			}
			continue
		}
		gap = true
		s.stranded = append(s.stranded, f)
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

// arrived waits until the flight has landed. If it has not, the session ends.
func (s *session) arrived(f flight, progress time.Time, timer *time.Timer) bool {
	if f.fate != sent {
		return true
	}
	if !done(f.tok) {
		if f.sent.After(progress) {
			progress = f.sent
		}
		limit := s.l.ackTimeout()
		timer.Reset(time.Until(progress.Add(limit)))
		select {
		case <-f.tok.done:
		case <-s.ended:
		case <-timer.C:
			s.end(fault(NoAck, nil, "%s did not acknowledge a message within %s; the connection is opened again and the message repeated: if that does not end, the broker throttles or forbids it",
				s.about.endpoint, limit))
		}
		if !done(f.tok) {
			return false
		}
	}
	if err := f.tok.err; err != nil {
		s.end(err)
		return false
	}
	return true
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
