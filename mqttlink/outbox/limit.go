package outbox

import "time"

// room tells whether a message can be taken.
type room int

const (
	enough room = iota
	noRoom
	roomLater // when what is being written can be dropped
)

// makeRoom drops messages until r fits, if that is the policy. d.mu is held.
func (d *Disk) makeRoom(r *Record) room {
	l, set := d.o.Limits.of(r.Class)
	if l.Messages <= 0 && l.Bytes <= 0 {
		return enough
	}
	for looked := false; ; {
		n, bytes := d.live(set)
		if (l.Messages <= 0 || n < l.Messages) && (l.Bytes <= 0 || bytes+r.size() <= l.Bytes) {
			return enough
		}
		if !looked { // the counts may be too high
			d.front()
			looked = true
			continue
		}
		if l.Drop != DropOldest || l.Bytes > 0 && r.size() > l.Bytes {
			return noRoom
		}
		if !d.dropFirst(set, time.Time{}) {
			if d.visible() < d.next {
				return roomLater
			}
			if d.blind != nil {
				return noRoom
			}
			for c := range classes { // there is nothing, whatever the counts say
				if set.has(c) {
					d.pos.gone.messages[c], d.pos.gone.bytes[c] = d.appended.messages[c], d.appended.bytes[c]
					d.pos.sacks.fold(c, d.next)
				}
			}
			if n, _ := d.live(set); n > 0 {
				return noRoom
			}
		}
	}
}

// dropFirst drops the oldest message of the set; if before is not zero, only if
// it was made before that. It reports whether there was one.
func (d *Disk) dropFirst(set classSet, before time.Time) bool {
	class := Reading
	if !set.has(Reading) {
		class = Alarm
	}
	f, ok := found{}, false
	if set == allClasses {
		f, ok = d.front()
	} else {
		f, ok = d.find(&d.droppers[class], set, d.pos.floors[class])
	}
	if !ok || !before.IsZero() && (f.time.IsZero() || !f.time.Before(before)) {
		return false
	}
	d.dropped++
	if set == allClasses {
		d.advance(f.seq)
		return true
	}
	d.leave(f)
	d.pos.floors[class] = f.seq + 1
	messages, bytes := d.pos.sacks.fold(class, f.seq)
	d.pos.gone.messages[class] += messages
	d.pos.gone.bytes[class] += bytes
	if f.seg == nil {
		d.kill(&d.held[d.heldIndex(f.seq)])
		d.forgetHeld()
	} else if f.seg.base == f.seq || f.seg.end == f.seq+1 {
		d.trimMiddle()
	}
	return true
}

// trimMiddle gives segments to the keeper that have no live messages although
// others before them have.
func (d *Disk) trimMiddle() {
	for i, s := range d.segs {
		if i > 0 && i+1 < len(d.segs) && !s.hollow && d.dead(s, d.segs[i+1]) {
			s.hollow = true
			d.hollow = append(d.hollow, s)
			d.keeper.wake()
		}
	}
}

// dead reports whether a segment has no live messages, as far as is known.
func (d *Disk) dead(s, next *segment) bool {
	if s.end == 0 || s.nonce == 0 || next.nonce == 0 || next.base != s.end {
		return false
	}
	for c := range classes {
		from := max(d.pos.floors[c], s.base)
		if from < s.end && next.before.messages[c] != s.before.messages[c] && !d.pos.sacks.covers(from, s.end-1) {
			return false
		}
	}
	return true
}

// age drops what is older than the limits allow.
func (d *Disk) age() {
	now := d.o.Now()
	if now.IsZero() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Limits.each(func(l *Limits, set classSet) {
		for n := 0; l.Age > 0 && !d.closed && d.dropFirst(set, now.Add(-l.Age)); n++ {
			if n%64 == 63 { // others want to append
				d.mu.Unlock()
				d.mu.Lock()
			}
		}
	})
}

// ages reports whether any limit is of age, and how often to look.
func (d *Disk) ages() (every time.Duration) {
	d.o.Limits.each(func(l *Limits, _ classSet) {
		if l.Age > 0 && (every == 0 || l.Age/16 < every) {
			every = max(l.Age/16, 100*time.Millisecond)
		}
	})
	return min(every, time.Minute)
}
