package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"pithings/mqttlink/durable"
)

// How much is read of the log at a time.
const (
	readBlock = 64 << 10 // by who delivers
	walkBlock = 8 << 10  // by who counts
	scanBlock = 16 << 10 // when it is opened: what this takes stays with the process
)

// Open opens the box in a folder, and makes the folder if there is none. Another
// process in the same folder is an error that wraps ErrLocked.
//
// A log that ends in the middle of a message, after a power cut, is cut off
// there; files that cannot be read are set aside. Both are logged and counted,
// and are no error. A disk that can be read but not written is none either, even if
// the folder is not there yet: messages will be held.
func Open(dir string, o DiskOptions) (*Disk, error) {
	d := newDisk(dir, o)
	if d.fs == nil {
		if err := durable.MakeFolder(dir); err != nil && !durable.Unwritable(err) {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
		d.fs = folder(dir)
		// Where nothing can be written nobody else can either; the lock is taken before
		// the first write then.
		f, err := lockFolder(dir)
		if err != nil && !durable.Unwritable(err) && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
		if err == nil {
			d.owner = f
			d.owned.Store(true)
		}
	}
	if err := d.load(); err != nil {
		d.letGo()
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	if !o.still {
		d.keeper.wg.Go(d.keep)
	}
	return d, nil
}

func newDisk(dir string, o DiskOptions) *Disk {
	o.fill()
	d := &Disk{o: o, dir: dir, fs: o.fs}
	d.idle.L = &d.mu
	for i := range d.groups {
		d.groups[i].done.L = &d.mu
	}
	d.keeper.init()
	return d
}

// load finds out what is in the folder.
func (d *Disk) load() error {
	d.slots.fs = d.fs
	d.reader = cursor{fs: d.fs, block: readBlock, fresh: true}
	d.walker = cursor{fs: d.fs, block: walkBlock}
	d.picker = cursor{fs: d.fs, block: walkBlock}
	for c := range d.droppers {
		d.droppers[c] = cursor{fs: d.fs, block: walkBlock}
	}
	names, err := d.fs.list()
	if err != nil && !(d.unowned() && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	d.noteNames(names)
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
			if !d.unowned() {
				_ = d.fs.remove(n)
			}
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
					d.pos.sacks.fold(c, s.base)
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
	c := cursor{fs: d.fs, block: scanBlock}
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
	d.next = max(d.next, last.next, d.pos.floors[Reading], d.pos.floors[Alarm], d.pos.sacks.end(), d.pos.handed+1)
	for c := range classes {
		// Messages that were delivered, but are not in the log any more, if they ever were.
		if d.appended.messages[c] < d.pos.gone.messages[c] || d.appended.bytes[c] < d.pos.gone.bytes[c] {
			d.appended.messages[c], d.appended.bytes[c] = d.pos.gone.messages[c], d.pos.gone.bytes[c]
			last.clean = false // the next segment says so
		}
	}
	d.safe, d.counted = d.next, d.next
	d.countLost(last.next)
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

// finishLoad ends the loading.
func (d *Disk) finishLoad() {
	d.setAcked(d.pos.acked)
	if d.pos.acked+1 >= d.next {
		d.pos.gone = d.appended
	}
	d.pos.synced = 0
	if !d.unowned() {
		_ = d.undo() // or when the disk can be written
	}
	d.trim()
	if n, bytes := d.live(allClasses); n > 0 {
		d.o.Log.Info("outbox has messages of an earlier run", "dir", d.dir, "messages", n, "bytes", bytes)
	}
}
