package outbox

import "time"

// of returns the limits of a class, and which classes they bound together.
func (l *Limits) of(c Class) (*Limits, classSet) {
	if l.Alarms == nil {
		return l, allClasses
	}
	if c == Alarm {
		return l.Alarms, 1 << Alarm
	}
	return l, 1 << Reading
}

// each calls f for each set of classes that is bounded together.
func (l *Limits) each(f func(*Limits, classSet)) {
	f(l.of(Reading))
	if l.Alarms != nil {
		f(l.of(Alarm))
	}
}

// counted reports whether messages are counted before one is taken.
func (l *Limits) counted() (is bool) {
	l.each(func(l *Limits, _ classSet) { is = is || l.Messages > 0 || l.Bytes > 0 })
	return is
}

// room says whether a message can be taken.
type room int

const (
	enough room = iota
	noRoom
	roomLater // when what is being written can be dropped
)

// live counts what is in the box. p.mu is held.
func (p *position) live(set classSet) (n int, bytes int64) {
	_, _, appended := p.unsaved.numbers()
	for c := range classes {
		if set.has(c) {
			n += max(0, int(appended.messages[c]-p.gone.messages[c]-p.sacks.sum.messages[c]))
			bytes += max(0, int64(appended.bytes[c]-p.gone.bytes[c]-p.sacks.sum.bytes[c]))
		}
	}
	return n, bytes
}

// makeRoom drops messages until r fits, if that is the policy.
func (p *position) makeRoom(r *Record) room {
	l, set := p.o.Limits.of(r.Class)
	if l.Messages <= 0 && l.Bytes <= 0 || p.closed {
		return enough
	}
	for looked := false; ; {
		n, bytes := p.live(set)
		if (l.Messages <= 0 || n < l.Messages) && (l.Bytes <= 0 || bytes+r.size() <= l.Bytes) {
			return enough
		}
		if !looked { // the counts may be too high
			p.front()
			looked = true
			continue
		}
		if l.Drop != DropOldest || l.Bytes > 0 && r.size() > l.Bytes {
			return noRoom
		}
		if !p.dropFirst(set, time.Time{}) {
			if visible, next := p.unsaved.visible(); visible < next {
				return roomLater
			}
			if p.blind != nil {
				return noRoom
			}
			// There is nothing, whatever the counts say.
			_, next, appended := p.unsaved.numbers()
			for c := range classes {
				if set.has(c) {
					p.gone.messages[c], p.gone.bytes[c] = appended.messages[c], appended.bytes[c]
					p.sacks.fold(c, next)
				}
			}
			if n, _ := p.live(set); n > 0 {
				return noRoom
			}
		}
	}
}

// dropFirst drops the oldest message of the set; if before is not zero, only if
// it was made before that. It reports whether there was one.
func (p *position) dropFirst(set classSet, before time.Time) bool {
	class := Reading
	if !set.has(Reading) {
		class = Alarm
	}
	f, ok := found{}, false
	if set == allClasses {
		f, ok = p.front()
	} else {
		f, ok = p.find(&p.droppers[class], set, p.floors[class])
	}
	if !ok || !before.IsZero() && (f.time.IsZero() || !f.time.Before(before)) {
		return false
	}
	p.dropped++
	if set == allClasses {
		p.advance(f.seq)
		return true
	}
	p.leave(f)
	p.floors[class] = f.seq + 1
	messages, bytes := p.sacks.fold(class, f.seq)
	p.gone.messages[class] += messages
	p.gone.bytes[class] += bytes
	if f.seg == nil {
		p.unsaved.drop(f.seq)
		p.unsaved.forgetGone(&p.ackState)
	} else if f.seg.base == f.seq || f.seg.end == f.seq+1 {
		p.log.trimMiddle(&p.ackState)
	}
	return true
}

// age drops what is older than the limits allow.
func (p *position) age() {
	now := p.o.Now()
	if now.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.o.Limits.each(func(l *Limits, set classSet) {
		for n := 0; l.Age > 0 && !p.closed && p.dropFirst(set, now.Add(-l.Age)); n++ {
			if n%64 == 63 { // others want to append
				p.mu.Unlock()
				p.mu.Lock()
			}
		}
	})
}

// ages reports whether any limit is of age, and how often to look.
func (p *position) ages() (every time.Duration) {
	p.o.Limits.each(func(l *Limits, _ classSet) {
		if l.Age > 0 && (every == 0 || l.Age/16 < every) {
			every = max(l.Age/16, 100*time.Millisecond)
		}
	})
	return min(every, time.Minute)
}
