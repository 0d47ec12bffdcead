package outbox

import "fmt"

// Ack implements Box.
func (d *Disk) Ack(seq uint64) error {
	if err := d.AckLater(seq); err != nil {
		return err
	}
	d.Save()
	return nil
}

// AckLater is Ack, which the end of the process undoes unless Save is called.
func (d *Disk) AckLater(seq uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.advance(min(seq, d.visible()-1))
	return nil
}

// Save writes down what was acknowledged, if that has not been done. If it cannot be
// written now, it is when it can; it costs duplicates only.
func (d *Disk) Save() {
	d.mu.Lock()
	moved := d.moved
	d.mu.Unlock()
	if moved {
		_ = d.savePosition(false)
	}
}

// Saved reports whether all that was acknowledged stays so when the process ends. It
// does not while the disk cannot be written, or while there are too many ranges, for
// which see AckOne; those messages are delivered again then.
func (d *Disk) Saved() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.moved && !d.unsaved
}

// AckOne implements Box. The position of up to 32 ranges of messages that are gone
// although older ones are not outlives the process; of more, as happens if every
// other message is acknowledged, those of the shortest ranges are delivered again.
func (d *Disk) AckOne(seq uint64) error {
	if err := d.AckOneLater(seq); err != nil {
		return err
	}
	d.Save()
	return nil
}

// AckOneLater is AckOne as AckLater is Ack.
func (d *Disk) AckOneLater(seq uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.ackOne(seq)
	return nil
}

// savePosition writes down what was delivered.
func (d *Disk) savePosition(sync bool) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	if d.unowned() {
		if err := d.own(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	p := d.savable(d.slots.sacks[:0])
	n := len(d.pos.sacks.list)
	d.moved = false
	d.mu.Unlock()
	err := d.slots.save(&p, sync)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsaved = err != nil || d.slots.saved < n
	if err == nil {
		return nil
	}
	d.moved = true
	return fmt.Errorf("outbox %s: %w", d.dir, err)
}

// SetHanded notes that the messages without acknowledgement (QoS 0) up to seq
// have been given to the network, so that they are not sent again after a
// restart although they are still behind others in the box. It is saved with the
// next Ack.
func (d *Disk) SetHanded(seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq = min(seq, d.next-1); seq > d.pos.handed {
		d.pos.handed, d.moved = seq, true
	}
}

// Handed returns what SetHanded noted.
func (d *Disk) Handed() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pos.handed
}

// nearBy is how far behind another sack it is looked whether something is left
// between the two.
const nearBy = 64

// ackOne takes one message out of the box, and reports whether it was there. d.mu is
// held.
func (d *Disk) ackOne(seq uint64) bool {
	if seq <= d.pos.acked || seq >= d.visible() || d.pos.sacks.has(seq) {
		return false
	}
	switch f, ok := d.front(); {
	case ok && f.seq == seq:
		d.advance(seq)
		return true
	case ok && f.seq > seq, !ok && d.blind == nil:
		return false
	}
	f, from, ok := d.pick(seq)
	switch {
	case ok && f.seq != seq, !ok && d.blind == nil:
		return false
	case !ok: // it cannot be read now, but must not be delivered again
		d.pos.sacks.add(seq, seq, tally{})
		d.unsized = append(d.unsized, seq)
		d.keeper.wake()
	case d.inLog(f):
		var t tally
		t.add(f.class, f.size)
		d.pos.sacks.add(from, seq, t)
	default:
		d.appended.remove(f.class, f.size)
		d.kill(&d.held[d.heldIndex(seq)])
		d.pos.sacks.add(from, seq, tally{})
	}
	d.moved = true
	switch {
	case !ok:
	case f.seg == nil:
		d.forgetHeld()
	case f.seg.end != 0 && d.pos.sacks.covers(f.seg.base, f.seg.end-1):
		d.trimMiddle()
	}
	return true
}

// size counts the messages that were taken out when they could not be read. d.mu is
// held.
func (d *Disk) size() {
	left := d.unsized[:0]
	for i, seq := range d.unsized {
		p := d.place(min(seq, d.safe-1))
		if !d.pos.sacks.has(seq) || seq < d.first || p.seg == nil {
			continue // counted, or not in the log any more
		}
		e, ok, err := p.read(&d.picker)
		d.noteHoles(&d.picker)
		if err != nil && d.unreadable(&d.picker, p, err) != nil {
			left = append(left, d.unsized[i:]...)
			break
		}
		if ok && e.seq == seq && seq >= d.pos.floors[e.class()] {
			d.pos.sacks.size(seq, e.class(), e.bytes())
		}
	}
	if d.unsized = left; len(left) == 0 {
		d.unsized = nil
	}
}

// pick finds the message seq, and from which number on nothing else is left up to it.
func (d *Disk) pick(seq uint64) (f found, from uint64, ok bool) {
	if from = d.pos.sacks.behind(seq); from > 0 && from < seq && seq-from <= nearBy {
		if f, ok = d.find(&d.picker, allClasses, from); ok && f.seq >= seq {
			return f, from, true
		}
	}
	f, ok = d.find(&d.picker, allClasses, seq)
	return f, seq, ok
}

// savable returns the position as it may be written down: a message that is not in the
// log, and will be counted if a part of a failed write has reached it all the same, is
// not said to be gone. buf takes the sacks. d.mu is held.
func (d *Disk) savable(buf []sack) position {
	p := d.pos
	buf = d.pos.sacks.largest(buf)
	end := d.counted
	for n := len(buf); n > 0 && buf[n-1].from >= end; n-- {
		buf = buf[:n-1]
	}
	// Of what is in memory it counts what had been in the log before.
	for i := d.heldIndex(end); i < len(d.held); i++ {
		switch h := &d.held[i]; {
		case h.Seq < d.pos.floors[h.Class]:
			if !h.dead || h.logged {
				p.gone.remove(h.Class, h.size)
			}
		case !h.dead && len(buf) > 0 && h.Seq >= buf[len(buf)-1].from && h.Seq <= buf[len(buf)-1].to:
			buf[len(buf)-1].gone.remove(h.Class, h.size)
		}
	}
	if n := len(buf); n > 0 {
		buf[n-1].to = min(buf[n-1].to, end-1)
	}
	for c := range classes {
		p.floors[c] = max(min(p.floors[c], end), p.acked+1)
	}
	p.sacks.list = buf
	return p
}

// countLost counts messages as appended that are known to be gone, and not in the log
// any more: the power was cut before they were synced. end is where the log ends.
func (d *Disk) countLost(end uint64) {
	for i := d.pos.sacks.index(end); i < len(d.pos.sacks.list); i++ {
		s := &d.pos.sacks.list[i]
		there := tally{}
		if s.from < end {
			there = d.count(s.from, end-1)
		}
		for c := range classes {
			d.appended.messages[c] += max(s.gone.messages[c], there.messages[c]) - there.messages[c]
			d.appended.bytes[c] += max(s.gone.bytes[c], there.bytes[c]) - there.bytes[c]
		}
	}
}

// count returns what the log has of some messages, up to its end, that position.gone
// does not count.
func (d *Disk) count(from, to uint64) (t tally) {
	for i, s := range d.segs {
		end := min(s.end, to+1)
		if s.end == 0 {
			end = to + 1
		}
		if end <= from || s.base > to {
			continue
		}
		if s.base >= from && i+1 < len(d.segs) {
			next := d.segs[i+1]
			d.learn(s)
			d.learn(next)
			if s.nonce != 0 && next.nonce != 0 && max(d.pos.floors[Reading], d.pos.floors[Alarm]) <= s.base {
				t.plus(&next.before)
				t.minus(&s.before)
				continue
			}
		}
		for seq := max(from, s.base); seq < end; {
			p := d.place(seq)
			if p.seg == nil {
				seq = p.end
				continue
			}
			e, ok, err := p.read(&d.walker)
			d.noteHoles(&d.walker)
			if err != nil || !ok {
				break // counted when the front of the box passes
			}
			if e.seq < end && e.seq >= d.pos.floors[e.class()] {
				t.add(e.class(), e.bytes())
			}
			seq = e.seq + 1
		}
	}
	return t
}
