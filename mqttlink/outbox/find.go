package outbox

import (
	"errors"
	"os"
	"time"
)

// next is Box.Next.
func (p *position) next(from uint64) (Record, bool, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed {
		from = p.sacks.skip(max(from, p.acked+1))
		m, safe, inLog := p.unsaved.find(from, allClasses, &p.ackState)
		if !inLog {
			if m == nil {
				return Record{}, false, nil
			}
			return m.Record, true, nil
		}
		at := p.log.place(from, safe)
		if at.seg == nil {
			from = at.end
			continue
		}
		p.mu.Unlock()
		e, ok, err := at.read(&p.reader)
		p.mu.Lock()
		p.noteHoles(&p.reader)
		switch {
		case err != nil:
			if err := p.unreadable(&p.reader, at, err); err != nil {
				return Record{}, false, err
			}
			from = at.end
		case !ok:
			from = at.end
		case e.seq > p.acked && e.seq >= p.floors[e.class()] && !p.sacks.has(e.seq):
			return e.message(e.seq, e.topic, e.body), true, nil
		default: // dropped, or acknowledged
			from = e.seq + 1
		}
	}
	return Record{}, false, ErrClosed
}

// found is a message that is in the box.
type found struct {
	seq   uint64
	class Class
	size  int64
	time  time.Time
	seg   *segment // nil: in memory
}

// What follows is done with p.mu held, and for the front of the box, which is short to reach.

// read returns the first message of the place.
func (at *place) read(c *cursor) (e entry, ok bool, err error) {
	if err := c.seek(at.seg, at.from); err != nil {
		return e, false, err
	}
	limit := at.limit
	if limit == 0 {
		limit = c.head.size
	}
	return c.next(at.from, at.end, limit)
}

// find returns the first live message of a set of classes from seq on.
func (p *position) find(c *cursor, set classSet, seq uint64) (f found, ok bool) {
	for {
		seq = p.sacks.skip(max(seq, p.acked+1))
		m, safe, inLog := p.unsaved.find(seq, set, &p.ackState)
		if !inLog {
			if m == nil {
				return f, false
			}
			return found{seq: m.Seq, class: m.Class, size: m.size, time: m.Time}, true
		}
		at := p.log.place(seq, safe)
		if at.seg == nil {
			seq = at.end
			continue
		}
		e, ok, err := at.read(c)
		p.noteHoles(c)
		if err != nil {
			if p.blind = p.unreadable(c, at, err); p.blind != nil {
				return f, false
			}
			ok = false
		}
		if !ok {
			seq = at.end
			continue
		}
		p.blind = nil
		if class := e.class(); set.has(class) && e.seq >= p.floors[class] && !p.sacks.has(e.seq) {
			f = found{seq: e.seq, class: class, size: e.bytes(), seg: at.seg}
			if e.time != 0 {
				f.time = time.UnixMilli(e.time)
			}
			return f, true
		}
		seq = e.seq + 1
	}
}

// front returns the first live message. It also corrects the counts, if messages
// before it could not be read or were never written.
func (p *position) front() (found, bool) {
	f, ok := p.find(&p.walker, allClasses, max(p.acked+1, p.first))
	if ok {
		p.first = f.seq
	}
	if b := &p.walker.lastBefore; ok && f.seg != nil && (*b != p.gone || len(p.sacks.list) > 0) {
		_, _, appended := p.unsaved.numbers()
		for c := range classes {
			if p.floors[c] <= f.seq && b.messages[c] <= appended.messages[c] && b.bytes[c] <= appended.bytes[c] {
				p.gone.messages[c], p.gone.bytes[c] = b.messages[c], b.bytes[c]
				p.sacks.fold(c, f.seq) // they are among those
			}
		}
	}
	return f, ok
}

// nearBy is how far behind another sack it is looked whether something is left
// between the two.
const nearBy = 64

// pick finds the message seq, and from which number on nothing else is left up to it.
func (p *position) pick(seq uint64) (f found, from uint64, ok bool) {
	if from = p.sacks.behind(seq); from > 0 && from < seq && seq-from <= nearBy {
		if f, ok = p.find(&p.picker, allClasses, from); ok && f.seq >= seq {
			return f, from, true
		}
	}
	f, ok = p.find(&p.picker, allClasses, seq)
	return f, seq, ok
}

// unreadable decides what an error of reading means: the segment is lost, and nil
// is returned, or nothing can be read, and another attempt may help.
func (p *position) unreadable(c *cursor, at place, err error) error {
	if c.seg == at.seg && c.failures < badSector {
		return err // it may be this place only
	}
	lost := errors.Is(err, errHead) || errors.Is(err, errNotOurs) || errors.Is(err, ErrVersion) || errors.Is(err, os.ErrNotExist)
	if p.failedAt != at.from {
		p.failedAt, p.failures = at.from, 0
	}
	if p.failures++; !lost && at.next != nil && p.failures >= badSector {
		// Is it the disk, or only this place on it?
		if f, err := p.log.fs.open(at.next.name(), os.O_RDONLY); err == nil {
			_, err := at.next.readHead(f)
			lost = err == nil
			f.Close()
		}
	}
	if !lost {
		return err
	}
	p.noteHole(hole{at.from, at.end - 1, at.seg}, err)
	return nil
}

// noteHoles fetches what a cursor could not read.
func (p *position) noteHoles(c *cursor) {
	if c.unlearned {
		p.log.learned(c.seg, c.head)
		c.unlearned = false
	}
	for _, h := range c.holes {
		p.noteHole(h, nil)
	}
	c.holes = c.holes[:0]
}

// noteHole counts messages that cannot be read, each once, and not those that
// are gone already.
func (p *position) noteHole(h hole, err error) {
	h.from = max(h.from, p.acked+1)
	if h.seg != nil && h.seg.hollow {
		return
	}
	if h.from > h.to || p.inHole(h.from) && p.inHole(h.to) || p.sacks.covers(h.from, h.to) {
		return
	}
	kept := p.holes[:0]
	for _, o := range p.holes {
		if o.to > p.acked {
			kept = append(kept, o)
		}
	}
	p.holes = append(kept, h)
	p.damaged += h.to - h.from + 1 - p.sacks.overlap(h.from, h.to)
	if h.seg != nil {
		h.seg.damaged = p.o.Sync != SyncNever
		p.o.Log.Error("outbox: damaged messages cannot be delivered; the file is kept when the rest is", "dir", p.dir,
			"file", h.seg.name(), "from", h.from, "to", h.to, "err", err)
	}
}

func (p *position) inHole(seq uint64) bool {
	for _, h := range p.holes {
		if h.from <= seq && seq <= h.to {
			return true
		}
	}
	return false
}
