package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// readBlock is how much is read of the log at a time.
const (
	readBlock = 64 << 10
	walkBlock = 8 << 10
)

// Open opens the box in a folder, and makes the folder if there is none. Another
// process in the same folder is an error that wraps ErrLocked.
//
// A log that ends in the middle of a message, after a power cut, is cut off
// there; files that cannot be read are set aside. Both are logged and counted,
// and are no error. A disk that can be read but not written is none either:
// messages will be held.
func Open(dir string, o DiskOptions) (*Disk, error) {
	o.fill()
	d := &Disk{o: o, dir: dir, fs: o.fs}
	if d.fs == nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
		d.fs = folder(dir)
		f, err := lockFolder(dir)
		if err != nil {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
		if f != nil {
			d.owner = f
		}
	}
	d.idle.L = &d.mu
	for i := range d.groups {
		d.groups[i].done.L = &d.mu
	}
	d.slots.fs = d.fs
	d.reader = cursor{fs: d.fs, block: readBlock, fresh: true}
	d.walker = cursor{fs: d.fs, block: walkBlock}
	for c := range d.droppers {
		d.droppers[c] = cursor{fs: d.fs, block: walkBlock}
	}
	d.keeper.init()
	if err := d.load(); err != nil {
		d.letGo()
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	if !o.still {
		d.keeper.wg.Go(d.keep)
	}
	return d, nil
}

// load finds out what is in the folder.
func (d *Disk) load() error {
	names, err := d.fs.list()
	if err != nil {
		return err
	}
	slices.Sort(names) // by sequence number, then by age
	for _, n := range names {
		switch base, serial, ok := parseName(n); {
		case ok:
			d.segs = append(d.segs, &segment{base: base, serial: serial})
			d.serial = max(d.serial, serial)
		case strings.HasSuffix(n, spareSuffix):
			var serial uint64
			if _, err := fmt.Sscanf(n, "%08x"+spareSuffix, &serial); err == nil && spareName(serial) == n && d.isWhole(n) {
				d.spares = append(d.spares, n)
				d.serial = max(d.serial, serial)
			}
		case strings.HasSuffix(n, unmadeSuffix):
			_ = d.fs.remove(n)
		case strings.HasSuffix(n, damagedSuffix):
			d.aside++
		}
	}
	if d.pos, err = d.slots.load(); errors.Is(err, ErrVersion) {
		return err
	} else if err != nil {
		d.o.Log.Error("outbox: "+err.Error(), "dir", d.dir)
	}
	if err := d.loadFirst(); err != nil {
		return err
	}
	if err := d.loadLast(); err != nil {
		return err
	}
	d.finishLoad()
	return nil
}

// loadFirst forgets the segments that are done with, and reads the head of the
// first that is left: it says how much was appended before.
func (d *Disk) loadFirst() error {
	for i := range d.segs[:max(len(d.segs)-1, 0)] {
		d.segs[i].end = d.segs[i+1].base
	}
	for len(d.segs) > 1 && d.segs[0].end <= d.pos.acked+1 {
		d.spent = append(d.spent, spent{segment: d.segs[0]})
		d.segs = d.segs[1:]
	}
	for len(d.segs) > 0 {
		s := d.segs[0]
		ok, err := d.loadHead(s)
		if err != nil {
			return err
		}
		if !ok {
			d.segs = d.segs[1:]
			continue
		}
		if s.base > d.pos.acked+1 {
			for c := range classes {
				if d.pos.floors[c] <= s.base {
					d.pos.gone.messages[c], d.pos.gone.bytes[c] = s.before.messages[c], s.before.bytes[c]
				}
			}
			// What the slots do not know was delivered, or was in a file that is
			// not there any more.
			d.setAcked(s.base - 1)
		}
		break
	}
	return nil
}

// loadHead reads the head of a segment. If it is none of the log, it is taken out
// of the way and ok is false.
func (d *Disk) loadHead(s *segment) (ok bool, err error) {
	f, err := d.fs.open(s.name(), os.O_RDONLY)
	if err == nil {
		err = s.readHead(f)
		f.Close()
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errNotOurs):
		// A prepared file that had got its new head, but not its new name, when
		// the power was cut. All that was in it had been delivered.
		d.o.Log.Debug("outbox: an interrupted recycling is undone", "dir", d.dir, "file", s.name())
		d.spent = append(d.spent, spent{segment: s})
		return false, nil
	case errors.Is(err, errHead), errors.Is(err, fs.ErrNotExist):
		d.o.Log.Error("outbox: a file cannot be read: what was in it is not delivered", "dir", d.dir, "file", s.name(), "error", err)
		d.setAside(s.name())
		return false, nil
	}
	return false, err
}

// loadLast reads the last segment with anything in it, to be appended to.
func (d *Disk) loadLast() error {
	c := cursor{fs: d.fs, block: readBlock}
	defer c.close()
	d.next, d.appended = d.pos.acked+1, d.pos.gone
	for len(d.segs) > 0 {
		s := d.segs[len(d.segs)-1]
		s.end = 0
		ok, err := d.loadHead(s)
		if err != nil {
			return err
		}
		if ok {
			err = c.load(s)
		}
		if err != nil {
			return err
		}
		first := len(d.segs) == 1
		if ok {
			w, messages, err := d.scan(&c)
			if err != nil {
				return err
			}
			// One without a message was begun when the disk failed, or the power: what
			// is in the one before it still counts.
			if messages > 0 || first {
				d.next = max(d.next, c.seq)
				d.reopen(w, &c)
				return nil
			}
			d.spent = append(d.spent, spent{segment: s})
		}
		c.close()
		d.segs = d.segs[:len(d.segs)-1]
		d.next = max(d.next, s.base)
	}
	return nil
}

// scan reads a segment to its end.
func (d *Disk) scan(c *cursor) (w *writer, messages int, err error) {
	s := c.seg
	w = &writer{seg: s, size: s.limit, topics: map[string]uint16{}}
	d.appended = s.before
	damaged := false // there is a gap that had been on the disk before what follows
	for gap := false; ; {
		e, kind, err := c.record(s.limit)
		if kind == bad {
			found, err2 := c.resync(s.limit)
			if err := cmp.Or(err2, err); !found && err != nil {
				return nil, 0, err
			}
			if !found {
				break
			}
			gap = true
			continue
		}
		damaged = damaged || gap && e.flags&flagSynced != 0
		if kind == control {
			c.control(&e)
			continue
		}
		c.pass(&e)
		messages++
		if c.known(&e) {
			d.appended.add(e.class(), e.bytes())
		} else {
			c.lose(e.seq, e.seq)
		}
	}
	d.noteTorn(c, damaged)
	return w, messages, nil
}

// noteTorn counts what a scan could not read. Unless it is known to have been on
// the disk, writing it was interrupted.
func (d *Disk) noteTorn(c *cursor, damaged bool) {
	if damaged {
		d.noteHoles(c)
		return
	}
	n := uint64(0)
	for _, h := range c.holes {
		if h.from = max(h.from, d.pos.acked+1); h.from <= h.to {
			d.holes = append(d.holes, h)
			n += h.to - h.from + 1
		}
	}
	c.holes = c.holes[:0]
	var e entry
	if b, _ := c.window(c.off, headSize, c.seg.limit); b != nil && le.Uint64(b) != 0 && c.plausible(b, &e, c.seg.limit) {
		n++
	}
	if n > 0 {
		d.torn += n
		d.o.Log.Warn("outbox: writing was interrupted: what had not reached the disk is cut off", "dir", d.dir, "file", c.seg.name(), "messages", n)
	}
}

// maxJump is the largest distance of sequence numbers inside a segment.
const maxJump = 1 << 24

// reopen makes the segment that was scanned the one to append to. If it cannot be
// written, the next append begins a new one.
func (d *Disk) reopen(w *writer, c *cursor) {
	s := w.seg
	s.limit = c.off
	if s.damaged || d.next-c.seq >= maxJump {
		s.end = d.next
		return
	}
	f, err := d.fs.open(s.name(), os.O_RDWR)
	if err != nil {
		s.end = d.next
		return
	}
	w.f, w.end, w.syncedOff, w.dirty = f, c.off, c.off, true
	w.epoch = random()
	w.seed = seedOf(c.nonce, w.epoch)
	for i, n := range c.names {
		w.names = append(w.names, n.s)
		if n.ok {
			w.topics[n.s] = uint16(i)
		}
	}
	d.tail = w
}

// finishLoad makes the numbers fit, whatever was lost.
func (d *Disk) finishLoad() {
	d.next = max(d.next, d.pos.floors[Reading], d.pos.floors[Alarm], 1)
	d.safe = d.next
	for c := range classes {
		d.appended.messages[c] = max(d.appended.messages[c], d.pos.gone.messages[c])
		d.appended.bytes[c] = max(d.appended.bytes[c], d.pos.gone.bytes[c])
	}
	d.setAcked(d.pos.acked)
	if d.pos.acked+1 >= d.next {
		d.pos.gone = d.appended
	}
	d.trim()
	if n, bytes := d.live(allClasses); n > 0 {
		d.o.Log.Info("outbox has messages of an earlier run", "dir", d.dir, "messages", n, "bytes", bytes)
	}
}

// Safe waits until the message seq, which Append has told to be held, is as safe
// as DiskOptions.Sync promises, or has left the box.
func (d *Disk) Safe(ctx context.Context, seq uint64) error {
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		d.idle.Broadcast()
		d.mu.Unlock()
	})
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for seq >= d.safe {
		switch {
		case ctx.Err() != nil:
			return cmp.Or(d.heldErr, ctx.Err())
		case d.closed:
			return cmp.Or(d.heldErr, ErrClosed)
		}
		d.idle.Wait()
	}
	return nil
}
