package outbox

import (
	"fmt"
	"sync"
)

// position is where reading and acknowledging stand: what has left the box, and what of that
// is saved. It finds messages in the log and among the unsaved ones, whose locks are taken
// after its own.
type position struct {
	o       *DiskOptions
	dir     string // for the log of the program
	owner   *owner
	log     *log
	unsaved *unsaved
	wake    func() // the keeper

	reading sync.Mutex // taken before mu; while it is held no segment is recycled
	reader  cursor

	saving sync.Mutex // taken before mu
	slots  slots

	mu sync.Mutex
	ackState
	closed   bool
	moved    bool            // ackState has changed since it was saved
	partial  bool            // not all of its sacks were saved
	walker   cursor          // reads behind acked
	droppers [classes]cursor // read behind floors
	picker   cursor          // reads what is acknowledged by itself
	first    uint64          // no message below is in the box
	known    uint64          // all below have been appended
	unsized  []uint64        // in sacks, but not in their tallies yet

	blind    error // of the last attempt to read the front of the box
	holes    []hole
	failedAt uint64 // message that could not be read the last time
	failures int    // how often in a row

	dropped uint64
	damaged uint64
}

// stats fills in what the position and the unsaved messages know.
func (p *position) stats(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		if f, ok := p.front(); ok {
			s.Oldest = f.time
		}
	}
	s.Messages, s.Bytes = p.live(allClasses)
	s.Alarms, _ = p.live(1 << Alarm)
	s.Damaged = p.damaged
	s.Dropped = p.dropped
	p.unsaved.stats(s, &p.ackState)
}

// save saves what was delivered.
func (p *position) save(sync bool) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	return p.write(sync)
}

// saveMoved saves what has not been saved. What another is saving just now has not been.
func (p *position) saveMoved() {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	moved := p.moved
	p.mu.Unlock()
	if moved {
		_ = p.write(false)
	}
}

// write is save with p.saving held.
func (p *position) write(sync bool) error {
	if p.owner.missing() {
		if err := p.owner.own(); err != nil {
			return err
		}
	}
	p.mu.Lock()
	s, n := p.ackState, len(p.sacks.list)
	s.sacks.list = p.sacks.largest(p.slots.sacks[:0])
	p.moved = false
	p.mu.Unlock()
	err := p.slots.save(&s, sync)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = err != nil || p.slots.saved < n
	if err == nil {
		return nil
	}
	p.moved = true
	return fmt.Errorf("outbox %s: %w", p.dir, err)
}

// saved is Box.Saved.
func (p *position) saved() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.moved && !p.partial
}

// setHanded is Box.SetHanded.
func (p *position) setHanded(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, next, _ := p.unsaved.numbers()
	if seq = min(seq, next-1); seq > p.handed {
		p.handed, p.moved = seq, true
	}
}

// ack is Box.AckLater or, if one is true, Box.AckOneLater.
func (p *position) ack(seq uint64, one bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	visible, next := p.unsaved.visible()
	p.known = next
	switch {
	case !one:
		p.advance(min(seq, visible-1))
	case seq < visible:
		p.ackOne(seq)
	}
	return nil
}

// close lets go of what is open for reading and of what is in memory.
func (p *position) close() {
	p.reading.Lock()
	defer p.reading.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reader.close()
	for _, c := range p.cursors() {
		c.close()
	}
	p.unsaved.lose(&p.ackState)
}

// cursors are those that p.mu guards.
func (p *position) cursors() []*cursor {
	return []*cursor{&p.walker, &p.picker, &p.droppers[Reading], &p.droppers[Alarm]}
}

// What follows is how messages leave the box: acknowledged in order, or by themselves. p.mu
// is held in all of it.

// advance takes the messages up to seq, which are visible, out of the box.
func (p *position) advance(seq uint64) {
	p.advanceRecent(seq)
	for p.acked < seq {
		f, ok := p.front()
		if !ok || f.seq > seq {
			break // the rest was dropped or cannot be read
		}
		p.leave(f)
		if f.seg != nil && len(p.sacks.list) == 0 {
			p.pass(f.seq)
		} else {
			p.setAcked(f.seq)
		}
	}
	if p.acked < seq {
		p.setAcked(seq)
	}
	for _, h := range p.holes {
		if h.from <= p.acked+1 {
			p.setAcked(max(h.to, p.acked))
		}
	}
	if p.acked+1 >= p.known {
		_, next, appended := p.unsaved.numbers()
		if p.known = next; p.acked+1 >= next {
			p.gone = appended
		}
	}
	p.trim()
}

// advanceRecent does that as long as the messages are known and nothing is out of the
// ordinary.
func (p *position) advanceRecent(seq uint64) {
	if len(p.holes) > 0 || len(p.sacks.list) > 0 {
		return
	}
	if to := p.unsaved.passRecent(&p.gone, seq, &p.ackState); to > p.acked {
		p.moved = true
		p.pass(to)
	}
}

// leave counts a message as gone.
func (p *position) leave(f found) {
	if f.seg != nil || p.unsaved.takeOut(f.seq) {
		p.gone.add(f.class, f.size)
	}
	p.moved = true
}

// pass moves the front of the box over what is in the log.
func (p *position) pass(seq uint64) {
	var passed tally
	p.acked, passed = p.sacks.pass(seq)
	p.gone.plus(&passed)
	for c := range p.floors {
		p.floors[c] = max(p.floors[c], p.acked+1)
	}
}

// setAcked moves the front of the box.
func (p *position) setAcked(seq uint64) {
	p.pass(seq)
	p.unsaved.passed(p.acked)
}

// trim gives the segments without live messages to the keeper.
func (p *position) trim() {
	if !p.log.trim(p.acked) {
		return
	}
	for _, c := range p.cursors() {
		if c.seg != nil && c.seg.end != 0 && c.seg.end <= p.acked+1 {
			c.close() // Windows renames no open file
		}
	}
	p.wake()
}

// ackOne takes one message, which is visible, out of the box.
func (p *position) ackOne(seq uint64) {
	if seq <= p.acked || p.sacks.has(seq) {
		return
	}
	switch f, ok := p.front(); {
	case ok && f.seq == seq:
		p.advance(seq)
		return
	case ok && f.seq > seq, !ok && p.blind == nil:
		return
	}
	f, from, ok := p.pick(seq)
	switch {
	case ok && f.seq != seq, !ok && p.blind == nil:
		return
	case !ok: // it cannot be read now, but must not be delivered again
		p.sacks.add(seq, seq, tally{})
		p.unsized = append(p.unsized, seq)
		p.wake()
	case f.seg != nil || p.unsaved.takeOut(seq):
		var t tally
		t.add(f.class, f.size)
		p.sacks.add(from, seq, t)
	default:
		p.unsaved.drop(seq)
		p.sacks.add(from, seq, tally{})
	}
	p.moved = true
	switch {
	case !ok:
	case f.seg == nil:
		p.unsaved.forgetGone(&p.ackState)
	case f.seg.end != 0 && p.sacks.covers(f.seg.base, f.seg.end-1):
		p.log.trimMiddle(&p.ackState)
	}
}

// size counts the messages that were taken out when they could not be read.
func (p *position) size() {
	if len(p.unsized) == 0 {
		return
	}
	left := p.unsized[:0]
	safe, _, _ := p.unsaved.numbers()
	for i, seq := range p.unsized {
		at := p.log.place(min(seq, safe-1), safe)
		if !p.sacks.has(seq) || seq < p.first || at.seg == nil {
			continue // counted, or not in the log any more
		}
		e, ok, err := at.read(&p.picker)
		p.noteHoles(&p.picker)
		if err != nil && p.unreadable(&p.picker, at, err) != nil {
			left = append(left, p.unsized[i:]...)
			break
		}
		if ok && e.seq == seq && seq >= p.floors[e.class()] {
			p.sacks.size(seq, e.class(), e.bytes())
		}
	}
	if p.unsized = left; len(left) == 0 {
		p.unsized = nil
	}
}
