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
	slices.SortFunc(d.segs, func(a, b *segment) int { return cmp.Compare(a.serial, b.serial) })
	if d.pos, err = d.slots.load(); errors.Is(err, ErrVersion) {
		return err
	} else if err != nil {
		d.o.Log.Error("outbox: "+err.Error(), "dir", d.dir)
	}
	last, err := d.loadLast()
	if err != nil {
		return err
	}
	d.supersede()
	if err := d.loadFirst(); err != nil {
		return err
	}
	d.fitNumbers(last)
	d.finishLoad()
	return nil
}

// supersede takes out the segments whose messages are in later ones too: the disk
// failed while they were written.
func (d *Disk) supersede() {
	kept := d.segs[:0]
	for _, s := range d.segs {
		for len(kept) > 0 && kept[len(kept)-1].base >= s.base {
			d.spent = append(d.spent, kept[len(kept)-1])
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, s)
	}
	d.segs = kept
	for i := range max(len(d.segs)-1, 0) {
		d.segs[i].end = d.segs[i+1].base
	}
}

// loadFirst forgets the segments that are done with, and reads the head of the
// first that is left: it says how much was appended before.
func (d *Disk) loadFirst() error {
	for len(d.segs) > 1 && d.segs[0].end <= d.pos.acked+1 {
		d.spent = append(d.spent, d.segs[0])
		d.segs = d.segs[1:]
	}
	for len(d.segs) > 0 {
		s := d.segs[0]
		if s.nonce == 0 {
			ok, err := d.loadHead(s)
			if err != nil {
				return err
			}
			if !ok {
				d.segs = d.segs[1:]
				continue
			}
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
		var h segmentHead
		h, err = s.readHead(f)
		if err == nil {
			s.learn(h)
		}
		f.Close()
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errNotOurs):
		// A prepared file that had got its new head, but not its new name, when
		// the power was cut. All that was in it had been delivered.
		d.o.Log.Debug("outbox: an interrupted recycling is undone", "dir", d.dir, "file", s.name())
		d.spent = append(d.spent, s)
		return false, nil
	case errors.Is(err, errHead), errors.Is(err, fs.ErrNotExist):
		d.o.Log.Error("outbox: a file cannot be read: what was in it is not delivered", "dir", d.dir, "file", s.name(), "error", err)
		d.setAside(s.name())
		return false, nil
	}
	return false, err
}

// loadLast reads the last segment with anything in it, and returns what it has
// found. One without a message was begun when the disk failed, or the power: what
// is in the one before it still counts. Nor is it sure that its name is on the disk.
func (d *Disk) loadLast() (r scanned, err error) {
	c := cursor{fs: d.fs, block: readBlock}
	defer c.close()
	for len(d.segs) > 0 {
		s := d.segs[len(d.segs)-1]
		ok, err := d.loadHead(s)
		if err != nil {
			return r, err
		}
		if ok {
			if err := c.load(s); err != nil {
				return r, err
			}
			if r, err = d.scan(&c); err != nil {
				return r, err
			}
			if r.messages > 0 {
				r.seg, r.names, r.nonce = s, slices.Clone(c.names), c.nonce
				r.clean = r.clean && len(d.undone) == 0
				return r, nil
			}
			d.undone = append(d.undone, s)
		}
		c.close()
		d.segs = d.segs[:len(d.segs)-1]
		d.next = max(d.next, s.base)
	}
	return scanned{}, nil
}

// fitNumbers makes numbers that are not used yet, whatever was lost, follow what
// the log has, and goes on with its last segment.
func (d *Disk) fitNumbers(last scanned) {
	d.appended = d.pos.gone
	if last.seg != nil {
		d.appended = last.appended
	}
	d.next = max(d.next, last.next, d.pos.floors[Reading], d.pos.floors[Alarm], 1)
	for c := range classes {
		// Messages that were delivered, but are not in the log any more, if they ever were.
		if d.appended.messages[c] < d.pos.gone.messages[c] || d.appended.bytes[c] < d.pos.gone.bytes[c] {
			d.appended.messages[c], d.appended.bytes[c] = d.pos.gone.messages[c], d.pos.gone.bytes[c]
			last.clean = false // the next segment says so
		}
	}
	d.logged = max(last.next, 1)
	if last.seg == nil {
		d.logged = d.next
	}
	if last.seg != nil && slices.Contains(d.segs, last.seg) {
		d.reopen(last)
	}
}

// undo removes the segments at the end that have nothing in them. Unless they are
// gone before another is begun, they hide the end of the one before them.
func (d *Disk) undo() error {
	for _, s := range d.undone {
		if err := d.fs.remove(s.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	d.undone = nil
	return nil
}

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
		if kind == bad {
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
			if !gap && !s.damaged {
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
	var e entry
	if b, _ := c.window(r.end, headSize, s.limit); torn == 0 && b != nil && le.Uint64(b) != 0 && c.plausible(b, &e, s.limit) {
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
	b := make([]byte, max(min(readBlock, to-from), 0))
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

// finishLoad ends the loading.
func (d *Disk) finishLoad() {
	d.safe = d.next
	d.setAcked(d.pos.acked)
	if d.pos.acked+1 >= d.next {
		d.pos.gone = d.appended
	}
	d.pos.synced = 0
	_ = d.undo() // or when the disk can be written
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
