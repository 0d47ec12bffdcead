package outbox

import (
	"errors"
	"os"
	"sort"
	"time"
)

// place is where a message is to be looked for.
type place struct {
	seg       *segment // nil: there is nothing before end
	from, end uint64
	limit     int64
	next      *segment // the one after
}

// place finds the segment of the first message from seq on; seq < d.safe.
func (d *Disk) place(seq uint64) place {
	i := sort.Search(len(d.segs), func(i int) bool { return d.segs[i].base > seq }) - 1
	if i >= 0 && d.segs[i].end != 0 && seq >= d.segs[i].end {
		i++ // behind it: between segments
		if i == len(d.segs) {
			return place{end: d.safe}
		}
		return place{end: d.segs[i].base}
	}
	if i < 0 {
		if len(d.segs) == 0 {
			return place{end: d.safe}
		}
		return place{end: min(d.segs[0].base, d.safe)}
	}
	s := d.segs[i]
	if s.hollow && s.end != 0 {
		return place{end: min(s.end, d.safe)}
	}
	p := place{seg: s, from: seq, end: d.safe, limit: s.limit}
	if s.end != 0 {
		p.end = min(s.end, d.safe)
	}
	if i+1 < len(d.segs) {
		p.next = d.segs[i+1]
		if d.learn(p.next); p.next.nonce != 0 && p.next.follows < p.end {
			if p.end = p.next.follows; seq >= p.end {
				return place{end: min(p.next.base, d.safe)}
			}
		}
	}
	return p
}

// learn reads the head of a segment, if that was not done yet.
func (d *Disk) learn(s *segment) {
	if s.nonce != 0 {
		return
	}
	f, err := d.fs.open(s.name(), os.O_RDONLY)
	if err != nil {
		return // who reads it will tell
	}
	defer f.Close()
	if h, err := s.readHead(f); err == nil {
		s.learn(h)
	}
}

// read returns the first message of the place.
func (p *place) read(c *cursor) (e entry, ok bool, err error) {
	if err := c.seek(p.seg, p.from); err != nil {
		return e, false, err
	}
	limit := p.limit
	if limit == 0 {
		limit = c.head.size
	}
	return c.next(p.from, p.end, limit)
}

// unreadable decides what an error of reading means: the segment is lost, and nil
// is returned, or nothing can be read, and another attempt may help.
func (d *Disk) unreadable(c *cursor, p place, err error) error {
	if c.seg == p.seg && c.failures < badSector {
		return err // it may be this place only
	}
	lost := errors.Is(err, errHead) || errors.Is(err, errNotOurs) || errors.Is(err, ErrVersion) || errors.Is(err, os.ErrNotExist)
	if d.failedAt != p.from {
		d.failedAt, d.failures = p.from, 0
	}
	if d.failures++; !lost && p.next != nil && d.failures >= badSector {
		// Is it the disk, or only this place on it?
		if f, err := d.fs.open(p.next.name(), os.O_RDONLY); err == nil {
			_, err := p.next.readHead(f)
			lost = err == nil
			f.Close()
		}
	}
	if !lost {
		return err
	}
	d.noteHole(hole{p.from, p.end - 1, p.seg}, err)
	return nil
}

// noteHoles fetches what a cursor could not read.
func (d *Disk) noteHoles(c *cursor) {
	if c.seg != nil {
		c.seg.learn(c.head)
	}
	for _, h := range c.holes {
		d.noteHole(h, nil)
	}
	c.holes = c.holes[:0]
}

// noteHole counts messages that cannot be read, each once, and not those that
// are gone already.
func (d *Disk) noteHole(h hole, err error) {
	h.from = max(h.from, d.pos.acked+1)
	if h.seg != nil && h.seg.hollow {
		return
	}
	if h.from > h.to || d.inHole(h.from) && d.inHole(h.to) || d.pos.sacks.covers(h.from, h.to) {
		return
	}
	kept := d.holes[:0]
	for _, o := range d.holes {
		if o.to > d.pos.acked {
			kept = append(kept, o)
		}
	}
	d.holes = append(kept, h)
	d.damaged += h.to - h.from + 1 - d.pos.sacks.overlap(h.from, h.to)
	if h.seg != nil {
		h.seg.damaged = d.o.Sync != SyncNever
		d.o.Log.Error("outbox: messages are damaged and cannot be delivered; the file is kept aside when the rest is", "dir", d.dir,
			"file", h.seg.name(), "from", h.from, "to", h.to, "error", err)
	}
}

func (d *Disk) inHole(seq uint64) bool {
	for _, h := range d.holes {
		if h.from <= seq && seq <= h.to {
			return true
		}
	}
	return false
}

// found is a message that is in the box.
type found struct {
	seq   uint64
	class Class
	size  int64
	time  time.Time
	seg   *segment // nil: in memory
}

// find returns the first live message of a set of classes from seq on. d.mu is
// held: this is for the front of the box, which is short to reach.
func (d *Disk) find(c *cursor, set classSet, seq uint64) (f found, ok bool) {
	for {
		seq = d.pos.sacks.skip(max(seq, d.pos.acked+1))
		if seq >= d.safe {
			break
		}
		p := d.place(seq)
		if p.seg == nil {
			seq = p.end
			continue
		}
		e, ok, err := p.read(c)
		d.noteHoles(c)
		if err != nil {
			if d.blind = d.unreadable(c, p, err); d.blind != nil {
				return f, false
			}
			ok = false
		}
		if !ok {
			seq = p.end
			continue
		}
		d.blind = nil
		if class := e.class(); set.has(class) && e.seq >= d.pos.floors[class] && !d.pos.sacks.has(e.seq) {
			f = found{seq: e.seq, class: class, size: e.bytes(), seg: p.seg}
			if e.time != 0 {
				f.time = time.UnixMilli(e.time)
			}
			return f, true
		}
		seq = e.seq + 1
	}
	for i := d.heldIndex(seq); i < len(d.held); i++ {
		if h := &d.held[i]; set.has(h.Class) && !d.goneHeld(h) {
			return found{seq: h.Seq, class: h.Class, size: h.size, time: h.Time}, true
		}
	}
	return f, false
}

// front returns the first live message. It also corrects the counts, if messages
// before it could not be read or were never written.
func (d *Disk) front() (found, bool) {
	f, ok := d.find(&d.walker, allClasses, max(d.pos.acked+1, d.first))
	if ok {
		d.first = f.seq
	}
	if ok && f.seg != nil {
		b := &d.walker.lastBefore
		for c := range classes {
			if d.pos.floors[c] <= f.seq && b.messages[c] <= d.appended.messages[c] && b.bytes[c] <= d.appended.bytes[c] {
				d.pos.gone.messages[c], d.pos.gone.bytes[c] = b.messages[c], b.bytes[c]
				d.pos.sacks.fold(c, f.seq) // they are among those
			}
		}
	}
	return f, ok
}

// advance takes the messages up to seq, which are visible, out of the box.
func (d *Disk) advance(seq uint64) {
	d.advanceRecent(seq)
	for d.pos.acked < seq {
		f, ok := d.front()
		if !ok || f.seq > seq {
			break // the rest was dropped or cannot be read
		}
		d.leave(f)
		d.setAcked(f.seq)
	}
	d.setAcked(max(seq, d.pos.acked))
	for _, h := range d.holes {
		if h.from <= d.pos.acked+1 {
			d.setAcked(max(h.to, d.pos.acked))
		}
	}
	if d.pos.acked+1 >= d.next {
		d.pos.gone = d.appended
	}
	d.trim()
}

// leave counts a message as gone. One that was never written is as if it had
// never been: the tallies in the files count what is in them.
func (d *Disk) leave(f found) {
	if d.inLog(f) {
		d.pos.gone.add(f.class, f.size)
	} else {
		d.appended.remove(f.class, f.size)
	}
	d.moved = true
}

// inLog reports whether a message counts in the log, or is about to.
func (d *Disk) inLog(f found) bool {
	if f.seg != nil {
		return true
	}
	h := &d.held[d.heldIndex(f.seq)]
	return h.logged || h.writing
}

// setAcked moves the front of the box.
func (d *Disk) setAcked(seq uint64) {
	var passed tally
	d.pos.acked, passed = d.pos.sacks.pass(seq)
	d.pos.gone.plus(&passed)
	seq = d.pos.acked
	for c := range d.pos.floors {
		d.pos.floors[c] = max(d.pos.floors[c], seq+1)
	}
	if seq >= d.safe && len(d.held) > 0 {
		d.safe = seq + 1
		d.popHeld()
		d.idle.Broadcast()
	}
}

// trim gives the segments without live messages to the keeper.
func (d *Disk) trim() {
	n := 0
	for n < len(d.segs) && d.segs[n].end != 0 && d.segs[n].end <= d.pos.acked+1 {
		d.spent = append(d.spent, d.segs[n])
		n++
	}
	if n > 0 {
		for _, c := range []*cursor{&d.walker, &d.picker, &d.droppers[Reading], &d.droppers[Alarm]} {
			if c.seg != nil && c.seg.end != 0 && c.seg.end <= d.pos.acked+1 {
				c.close() // Windows renames no open file
			}
		}
		d.segs = d.segs[n:]
		d.keeper.wake()
	}
}
