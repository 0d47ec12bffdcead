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
	readBlock = 64 << 10 // for delivering
	walkBlock = 8 << 10  // for counting
	scanBlock = 16 << 10 // when it is opened: what this takes stays with the process
)

// Open opens the box in a folder, and makes the folder if there is none. Another
// process in the same folder is an error that wraps ErrLocked.
//
// A log that ends in the middle of a message, after a power cut, is cut off
// there; files that cannot be read are kept under another name. Both are logged and counted,
// and are no error. A disk that can be read but not written is none either, even if
// the folder is not there yet: messages will be held.
func Open(dir string, o DiskOptions) (*Disk, error) {
	d := newDisk(dir, o)
	if !d.owner.virtual {
		err := durable.MakeFolder(dir)
		if err == nil || durable.Unwritable(err) {
			err = d.owner.open()
		}
		if err != nil {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
	}
	if err := d.load(); err != nil {
		d.release()
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	if !o.still {
		d.keeper.wg.Go(d.keeper.run)
	}
	return d, nil
}

// opening is what the parts of a box find out while it is opened. No other has them yet: no
// lock is taken where none is needed.
type opening struct {
	*position
	l *log
	u *unsaved
}

// load finds out what is in the folder.
func (d *Disk) load() error {
	o := opening{&d.position, &d.log, &d.unsaved}
	names, err := d.log.fs.list()
	if err != nil && !(d.owner.missing() && errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	d.owner.noteNames(names)
	d.log.sort(names, !d.owner.missing())
	if o.ackState, err = d.position.slots.load(); errors.Is(err, ErrVersion) {
		return err
	} else if err != nil {
		d.o.Log.Error("outbox: "+err.Error(), "dir", d.dir)
	}
	last, err := o.loadLast()
	if err != nil {
		return err
	}
	d.log.supersede()
	if err := o.loadFirst(); err != nil {
		return err
	}
	o.fitNumbers(last)
	o.finish()
	return nil
}

// sort finds segments and prepared files among the names in the folder.
func (l *log) sort(names []string, owned bool) {
	for _, n := range names {
		switch base, serial, ok := parseName(n); {
		case ok:
			l.segs = append(l.segs, &segment{base: base, serial: serial})
			l.serial = max(l.serial, serial)
		case strings.HasSuffix(n, spareSuffix):
			var serial uint64
			if _, err := fmt.Sscanf(n, "%08x"+spareSuffix, &serial); err == nil && spareName(serial) == n && l.isWhole(n) {
				l.spares = append(l.spares, n)
				l.serial = max(l.serial, serial)
			}
		case strings.HasSuffix(n, unmadeSuffix):
			if owned {
				_ = l.fs.remove(n)
			}
		case strings.HasSuffix(n, damagedSuffix):
			l.aside++
		}
	}
	slices.SortFunc(l.segs, func(a, b *segment) int { return cmp.Compare(a.serial, b.serial) })
}

// supersede takes out the segments whose messages are in later ones too: the disk
// failed while they were written.
func (l *log) supersede() {
	kept := l.segs[:0]
	for _, s := range l.segs {
		for len(kept) > 0 && kept[len(kept)-1].base >= s.base {
			l.spent = append(l.spent, kept[len(kept)-1])
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, s)
	}
	l.segs = kept
	for i := range max(len(l.segs)-1, 0) {
		l.segs[i].end = l.segs[i+1].base
	}
}

// loadFirst forgets the segments that are done with, and reads the head of the
// first that is left: it says how much was appended before.
func (o *opening) loadFirst() error {
	l := o.l
	for len(l.segs) > 1 && l.segs[0].end <= o.acked+1 {
		l.spent = append(l.spent, l.segs[0])
		l.segs = l.segs[1:]
	}
	for len(l.segs) > 0 {
		s := l.segs[0]
		if s.nonce == 0 {
			ok, err := l.loadHead(s)
			if err != nil {
				return err
			}
			if !ok {
				l.segs = l.segs[1:]
				continue
			}
		}
		if s.base > o.acked+1 {
			for c := range classes {
				if o.floors[c] <= s.base {
					o.gone.messages[c], o.gone.bytes[c] = s.before.messages[c], s.before.bytes[c]
					o.sacks.fold(c, s.base)
				}
			}
			// What the slots do not know was delivered, or was in a file that is
			// not there any more.
			o.setAcked(s.base - 1)
		}
		break
	}
	return nil
}

// loadHead reads the head of a segment. If it is none of the log, it is taken out
// of the way and ok is false.
func (l *log) loadHead(s *segment) (ok bool, err error) {
	f, err := l.fs.open(s.name(), os.O_RDONLY)
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
		l.o.Log.Debug("outbox: an interrupted recycling is undone", "dir", l.dir, "file", s.name())
		l.spent = append(l.spent, s)
		return false, nil
	case errors.Is(err, errHead), errors.Is(err, fs.ErrNotExist):
		l.o.Log.Error("outbox: a file cannot be read: what was in it is not delivered", "dir", l.dir, "file", s.name(), "err", err)
		l.keepDamaged(s.name())
		return false, nil
	}
	return false, err
}

// loadLast reads the last segment with anything in it, and returns what it has
// found. One without a message was begun when the disk failed, or the power: what
// is in the one before it still counts. Nor is it sure that its name is on the disk.
func (o *opening) loadLast() (r scanned, err error) {
	l := o.l
	c := cursor{fs: l.fs, block: scanBlock}
	defer c.close()
	for len(l.segs) > 0 {
		s := l.segs[len(l.segs)-1]
		ok, err := l.loadHead(s)
		if err != nil {
			return r, err
		}
		if ok {
			if err := c.load(s); err != nil {
				return r, err
			}
			r, err = l.scan(&c)
			if s.damaged {
				o.noteHoles(&c)
			}
			if err != nil {
				return r, err
			}
			if r.messages > 0 {
				r.seg, r.names, r.nonce = s, slices.Clone(c.names), c.nonce
				r.clean = r.clean && len(l.undone) == 0
				return r, nil
			}
			l.undone = append(l.undone, s)
		}
		c.close()
		l.segs = l.segs[:len(l.segs)-1]
		o.u.next = max(o.u.next, s.base)
	}
	return scanned{}, nil
}

// fitNumbers makes numbers that are not used yet, whatever was lost, follow what
// the log has, and continues its last segment.
func (o *opening) fitNumbers(last scanned) {
	l, u := o.l, o.u
	u.appended = o.gone
	if last.seg != nil {
		u.appended = last.appended
	}
	u.next = max(u.next, last.next, o.floors[Reading], o.floors[Alarm], o.sacks.end(), o.handed+1)
	for c := range classes {
		// Messages that were delivered, but are not in the log any more, if they ever were.
		if u.appended.messages[c] < o.gone.messages[c] || u.appended.bytes[c] < o.gone.bytes[c] {
			u.appended.messages[c], u.appended.bytes[c] = o.gone.messages[c], o.gone.bytes[c]
			last.clean = false // the next segment says so
		}
	}
	u.safe = u.next
	o.countLost(last.next)
	u.logged = max(last.next, 1)
	if last.seg == nil {
		u.logged = u.next
	}
	if last.seg != nil && slices.Contains(l.segs, last.seg) {
		last.seg.end, last.seg.limit = last.next, last.end
		if !o.owner.missing() {
			u.enc = l.reopen(last, u.next, o.synced)
		}
	}
}

// countLost counts messages as appended that are known to be gone, and not in the log
// any more: the power was cut before they were synced. end is where the log ends.
func (o *opening) countLost(end uint64) {
	for i := o.sacks.index(end); i < len(o.sacks.list); i++ {
		s := &o.sacks.list[i]
		there := tally{}
		if s.from < end {
			there = o.count(s.from, end-1)
		}
		for c := range classes {
			o.u.appended.messages[c] += max(s.gone.messages[c], there.messages[c]) - there.messages[c]
			o.u.appended.bytes[c] += max(s.gone.bytes[c], there.bytes[c]) - there.bytes[c]
		}
	}
}

// count returns what the log has of some messages, up to its end, that ackState.gone
// does not count.
func (o *opening) count(from, to uint64) (t tally) {
	l := o.l
	for i, s := range l.segs {
		end := min(s.end, to+1)
		if s.end == 0 {
			end = to + 1
		}
		if end <= from || s.base > to {
			continue
		}
		if s.base >= from && i+1 < len(l.segs) {
			next := l.segs[i+1]
			for _, s := range []*segment{s, next} {
				if s.nonce == 0 {
					l.learn(s)
				}
			}
			if s.nonce != 0 && next.nonce != 0 && max(o.floors[Reading], o.floors[Alarm]) <= s.base {
				t.plus(&next.before)
				t.minus(&s.before)
				continue
			}
		}
		for seq := max(from, s.base); seq < end; {
			at := l.place(seq, o.u.safe)
			if at.seg == nil {
				seq = at.end
				continue
			}
			e, ok, err := at.read(&o.walker)
			o.noteHoles(&o.walker)
			if err != nil || !ok {
				break // counted when the front of the box passes
			}
			if e.seq < end && e.seq >= o.floors[e.class()] {
				t.add(e.class(), e.bytes())
			}
			seq = e.seq + 1
		}
	}
	return t
}

// finish ends the loading.
func (o *opening) finish() {
	o.setAcked(o.acked)
	if o.acked+1 >= o.u.next {
		o.gone = o.u.appended
	}
	o.synced = 0
	if !o.owner.missing() {
		_ = o.l.undo() // or when the disk can be written
	}
	o.trim()
	if n, bytes := o.live(allClasses); n > 0 {
		o.o.Log.Info("outbox has messages of an earlier run", "dir", o.dir, "n", n, "bytes", bytes)
	}
}
