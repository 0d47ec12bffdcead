package outbox

import (
	"cmp"
	"os"
)

// scanned is what a scan has found in the last segment.
type scanned struct {
	messages int
	end      int64  // of the records
	next     uint64 // sequence number behind the last message
	appended tally
	unsure   int64  // from here on nothing says that it is on the disk
	seed     uint32 // of the records there
	clean    bool   // it can be appended to

	seg   *segment
	names []name
	nonce uint32
}

// scan reads a segment to its end, while it is opened. What could not be read is left in the
// cursor's holes.
func (l *log) scan(c *cursor) (r scanned, err error) {
	s := c.seg
	r = scanned{end: c.off, next: c.seq, appended: s.before, unsure: firstRecord, seed: c.seed, clean: true}
	cut := r // at the first gap
	gap := false
	for {
		e, kind, err := c.record(s.limit)
		if kind == bad && err != nil && !c.hopeless() {
			continue
		}
		if kind == bad {
			// What cannot be read was not cut off, but damaged.
			s.damaged = s.damaged || err != nil
			at := c.off
			found, err2 := c.resync(s.limit)
			if err := cmp.Or(err2, err); !found && err != nil {
				if r.messages == 0 {
					return r, err
				}
				l.o.Log.Error("outbox: the end of the log cannot be read", "dir", l.dir, "file", s.name(), "err", err)
				r.clean = false // what comes is written elsewhere
				break
			}
			if !found {
				break
			}
			if c.off > at && !gap && !s.damaged {
				gap, cut = true, r
			}
			continue
		}
		if e.flags&flagSynced != 0 {
			// What is missing had been on the disk before this was written.
			s.damaged = s.damaged || gap
			r.unsure, r.seed = c.off, c.seed
		}
		if kind == control {
			c.control(&e)
			if class, size, ok := e.counted(); ok {
				r.appended.add(class, size)
			}
			if e.kind() == kindMark && len(e.body) != 8 {
				r.messages++
			}
		} else {
			c.pass(&e)
			r.messages++
			if c.known(&e) {
				r.appended.add(e.class(), e.bytes())
			} else {
				c.lose(e.seq, e.seq)
			}
		}
		r.end, r.next = c.off, c.seq
	}
	if s.damaged {
		r.clean = false
		return r, nil
	}
	// Writing was interrupted here, and something behind had already got through.
	torn := uint64(0)
	if gap {
		torn = max(1, r.next-cut.next)
		r = cut
		r.clean = false
	}
	c.holes, c.seq = c.holes[:0], r.next
	// What an earlier life of the file left is no sign of that: the next message has the
	// next number.
	var e entry
	if b, _ := c.window(r.end, headSize, s.limit); torn == 0 && b != nil && le.Uint64(b) != 0 && c.plausible(b, &e, s.limit) && e.seq == r.next {
		torn = 1
	}
	if torn > 0 {
		l.torn += torn
		l.o.Log.Warn("outbox: writing was interrupted: what had not reached the disk is cut off", "dir", l.dir, "file", s.name(), "messages", torn)
	}
	return r, nil
}

// reopen makes the segment that was scanned the one to append to, from the number next on. If
// it cannot be written, or its end is not what it should be, the next append begins a new one.
// synced is the number below which all is known to be on the disk.
func (l *log) reopen(r scanned, next, synced uint64) *encoder {
	s := r.seg
	f, err := l.fs.open(s.name(), os.O_RDWR)
	if err != nil {
		return nil
	}
	if synced == r.next {
		r.unsure = r.end
	}
	size, err := f.Size()
	if err == nil {
		err = writeAgain(f, r.unsure, r.end)
	}
	if err != nil || !r.clean || next != r.next {
		if r.unsure < r.end && l.o.Sync != SyncNever {
			_ = f.Sync()
		}
		f.Close()
		return nil
	}
	e := &encoder{base: s.base, nonce: r.nonce, size: size, end: r.end, next: r.next, epoch: random(),
		paged: l.o.Sync == SyncAlways, topics: map[string]uint16{}}
	e.seed = seedOf(r.nonce, e.epoch)
	for i, n := range r.names {
		e.names = append(e.names, n.s)
		if n.ok {
			e.topics[n.s] = uint16(i)
		}
	}
	s.end = 0
	l.tail = &tail{seg: s, f: f, nonce: e.nonce, seed: e.seed, syncedOff: r.unsure, syncedSeed: r.seed, dirty: true}
	return e
}

// writeAgain writes what an earlier process may not have got to the disk: if a
// sync of its has failed, the kernel has it, but will not write it.
func writeAgain(f file, from, to int64) error {
	b := make([]byte, max(min(scanBlock, to-from), 0))
	for from < to {
		b = b[:min(int64(len(b)), to-from)]
		if _, err := f.ReadAt(b, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}
