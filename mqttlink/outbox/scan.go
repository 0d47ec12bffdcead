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

// scan reads a segment to its end.
func (d *Disk) scan(c *cursor) (r scanned, err error) {
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
				d.o.Log.Error("outbox: the end of the log cannot be read", "dir", d.dir, "file", s.name(), "error", err)
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
		d.noteHoles(c)
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
		d.torn += torn
		d.o.Log.Warn("outbox: writing was interrupted: what had not reached the disk is cut off", "dir", d.dir, "file", s.name(), "messages", torn)
	}
	return r, nil
}

// reopen makes the segment that was scanned the one to append to. If it cannot be
// written, or its end is not what it should be, the next append begins a new one.
func (d *Disk) reopen(r scanned) {
	s := r.seg
	s.end, s.limit = r.next, r.end
	if d.unowned() {
		return
	}
	f, err := d.fs.open(s.name(), os.O_RDWR)
	if err != nil {
		return
	}
	if d.pos.synced == r.next {
		r.unsure = r.end
	}
	size, err := f.Size()
	if err == nil {
		err = writeAgain(f, r.unsure, r.end)
	}
	if err != nil || !r.clean || d.next != r.next {
		if r.unsure < r.end && d.o.Sync != SyncNever {
			_ = f.Sync()
		}
		f.Close()
		return
	}
	w := &writer{seg: s, f: f, size: size, end: r.end, next: r.next, topics: map[string]uint16{}, syncedOff: r.unsure, syncedSeed: r.seed, dirty: true, epoch: random()}
	w.seed = seedOf(r.nonce, w.epoch)
	for i, n := range r.names {
		w.names = append(w.names, n.s)
		if n.ok {
			w.topics[n.s] = uint16(i)
		}
	}
	s.end = 0
	d.tail = w
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
