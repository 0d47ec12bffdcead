package outbox

import (
	"crypto/rand"
	"errors"
	"os"
	"runtime"
	"sync"
)

// Groups larger than this are padded to the end of a page, so that the next
// one does not write that page again.
const padFrom = 4 * page

// maxGroupBuffer is how much memory a group keeps between its uses.
const maxGroupBuffer = 1 << 20

// group is messages that are written together.
type group struct {
	buf  []byte
	off  int64     // its place in the segment
	next uint64    // sequence number behind its last message
	done sync.Cond // it has been written, or its leader is wanted
}

// stage encodes r into the group being filled, or holds it. d.mu is held.
func (d *Disk) stage(r *Record) (uint64, error) {
	for {
		if d.closed {
			return 0, ErrClosed
		}
		switch d.makeRoom(r) {
		case noRoom:
			d.dropped++
			return 0, ErrFull
		case roomLater:
			d.writeOrWait()
			continue
		}
		if d.err != nil {
			return d.hold(r)
		}
		if d.tail != nil && d.tail.end+d.tail.need(r) <= d.tail.size {
			break
		}
		if d.busy {
			d.idle.Wait()
			continue
		}
		d.busy = true
		// Others may add to the old segment while it is written, and it may be being
		// synced, which may fail.
		for d.err == nil && (len(d.groups[d.fill].buf) > 0 || d.syncing) {
			if d.syncing {
				d.idle.Wait()
			} else {
				d.commit(false)
			}
		}
		if d.err == nil {
			if err := d.roll(need(r)); err != nil {
				d.fail(err, nil)
			}
		}
		d.release()
	}
	seq := d.next
	d.next++
	d.encode(r, seq)
	d.appended.add(r.Class, r.size())
	d.recent.note(seq, r)
	return seq, nil
}

// need is an upper bound of the room that r takes in an empty segment.
func need(r *Record) int64 {
	return align(headSize+int64(len(r.Topic))) + align(headSize+255+int64(len(r.Payload))) + headSize + 8 + page/4
}

// need is an upper bound of the room that r takes in this segment.
func (w *writer) need(r *Record) int64 {
	if len(w.names) >= 1<<16 {
		return w.size // no number is left for another topic
	}
	return need(r)
}

// encode puts r into the group being filled.
func (d *Disk) encode(r *Record, seq uint64) {
	w, g := d.tail, &d.groups[d.fill]
	if len(g.buf) == 0 {
		g.off = w.end
	}
	if d.o.Sync == SyncAlways && len(g.buf) == 0 {
		g.startPage(w, seq, headSize+int64(len(r.Payload)))
	}
	b := g.buf
	if !w.marked {
		start := len(b)
		b = le.AppendUint64(begin(b), w.epoch)
		b = finish(b, start, head{low: uint32(seq), flags: kindMark}, seedOf(0, w.seg.nonce))
		w.marked = true
	}
	n, ok := w.topics[r.Topic]
	if !ok {
		n = uint16(len(w.names))
		w.topics[r.Topic] = n
		w.names = append(w.names, r.Topic)
		start := len(b)
		b = append(begin(b), r.Topic...)
		b = finish(b, start, head{low: uint32(seq), topic: n, flags: kindTopic}, w.seed)
	}
	g.buf = appendMessage(b, r, seq, n, w.seed)
	g.next = seq + 1
	w.end = g.off + int64(len(g.buf))
	w.next = seq + 1
}

// encodeDropped puts into the group that a message, which had its number already,
// was dropped before it was written.
func (d *Disk) encodeDropped(h *held, seq uint64) {
	w, g := d.tail, &d.groups[d.fill]
	if len(g.buf) == 0 {
		g.off = w.end
	}
	start := len(g.buf)
	b := begin(g.buf)
	if h.logged { // it was counted before, and stays so
		b = le.AppendUint64(b, uint64(h.Class))
		b = le.AppendUint64(b, uint64(h.size))
	}
	g.buf = finish(b, start, head{low: uint32(seq), flags: kindMark}, seedOf(0, w.seg.nonce))
	g.next = seq + 1
	w.end = g.off + int64(len(g.buf))
	w.next = seq + 1
}

// settle waits until the message seq, which has been put into a group, is safe or
// held. Unless late is true that was done just now: who waits is then woken with its
// group alone. d.mu is held.
func (d *Disk) settle(seq uint64, late bool) error {
	g := &d.groups[d.fill]
	for seq >= d.safe && d.err == nil {
		switch {
		case d.busy && late:
			d.idle.Wait()
		case d.busy:
			g.done.Wait()
		default:
			d.busy = true
			d.commit(d.o.Sync == SyncAlways)
			d.release()
		}
	}
	if seq >= d.safe {
		return d.heldErr
	}
	return nil
}

// writeOrWait writes the group being filled, or waits for whoever writes.
func (d *Disk) writeOrWait() {
	if d.busy {
		d.idle.Wait()
		return
	}
	d.busy = true
	d.commit(false)
	d.release()
}

// release ends the right to write, and passes it on if there is more.
func (d *Disk) release() {
	d.busy = false
	d.idle.Broadcast()
	if g := &d.groups[d.fill]; len(g.buf) > 0 {
		g.done.Signal()
	}
}

// commit writes the group being filled. d.mu is held, and busy is ours; the lock
// is let go meanwhile. With yield, others get a turn to join first: a sync takes
// far longer.
func (d *Disk) commit(yield bool) {
	if yield {
		d.mu.Unlock()
		runtime.Gosched()
		d.mu.Lock()
	}
	g, w := &d.groups[d.fill], d.tail
	if len(g.buf) == 0 {
		return
	}
	if w.fenced && w.syncedOff == g.off {
		setSynced(g.buf, w.firstSeed(g.buf))
	}
	if len(g.buf) > padFrom {
		g.pad(w, g.next)
	}
	d.fill ^= 1
	d.mu.Unlock()
	_, err := w.f.WriteAt(g.buf, g.off)
	if err == nil && d.o.Sync == SyncAlways {
		err = w.f.Sync()
	}
	d.mu.Lock()
	if err != nil {
		d.fail(err, g)
		return
	}
	w.seg.limit = g.off + int64(len(g.buf))
	d.safe, d.logged, d.counted = max(d.safe, g.next), g.next, g.next
	switch {
	case d.o.Sync == SyncAlways:
		w.synced(w.seg.limit)
		w.dirty = false
	case !w.dirty:
		w.dirty = true
		d.keeper.wake()
	}
	g.end()
}

// synced notes that all before off is on the disk.
func (w *writer) synced(off int64) {
	w.syncedOff, w.fenced = off, true
	if w.marked {
		w.syncedSeed = w.seed
	}
}

// end makes the group empty, and tells those who wait for it.
func (g *group) end() {
	if g.buf = g.buf[:0]; cap(g.buf) > maxGroupBuffer {
		g.buf = nil
	}
	g.done.Broadcast()
}

// pad fills the last page of what is written, so that the next begins one. The
// head of the padding needs room too: if there is too little, nothing is done.
func (g *group) pad(w *writer, next uint64) {
	room := (page - w.end%page) % page
	if room < headSize || w.end+room > w.size {
		return
	}
	start := len(g.buf)
	b := begin(g.buf)
	b = append(b, zeros[:room-headSize]...)
	g.buf = finish(b, start, head{low: uint32(next), flags: kindPad}, w.seed)
	w.end += room
}

// startPage begins a new page for a record of about n bytes that would lie on two:
// what is synced by itself then costs one page and not two.
func (g *group) startPage(w *writer, next uint64, n int64) {
	if w.marked && n <= page/4 && w.end%page+n > page {
		g.pad(w, next)
	}
}

var zeros [page]byte

// firstSeed is the seed of the record at the beginning of b.
func (w *writer) firstSeed(b []byte) uint32 {
	if h, _ := readHead(b); h.kind() == kindMark {
		return seedOf(0, w.seg.nonce)
	}
	return w.seed
}

// roll begins a new segment with room for need. d.mu is held, busy is ours and
// no group is filled; the lock is let go meanwhile.
func (d *Disk) roll(need int64) error {
	old := d.tail
	d.serial++
	s := &segment{base: d.next, serial: d.serial, segmentHead: segmentHead{nonce: random(), before: d.appended}}
	if len(d.held) > 0 {
		s.base = d.held[0].Seq
		for i := range d.held {
			if h := &d.held[i]; !h.dead || h.logged {
				s.before.remove(h.Class, h.size)
			}
		}
	}
	s.follows = min(d.logged, s.base)
	spare := ""
	if n := len(d.spares); n > 0 && firstRecord+need <= d.o.segment {
		spare = d.spares[n-1]
		d.spares = d.spares[:n-1]
	}
	syncOld := old != nil && old.dirty && d.o.Sync != SyncNever
	d.tail = nil // nobody adds to it any more
	d.mu.Unlock()
	err := d.own()
	if err == nil {
		err = d.undo()
	}
	if err == nil && syncOld {
		// A second sync tells nothing of what the first one lost.
		if err = old.lost; err == nil {
			err = old.f.Sync()
		}
	}
	var w *writer
	if err == nil {
		w, err = create(d.fs, s, spare, d.o.segment/smallPart, need, d.o.Sync != SyncNever)
		if spare != "" && errors.Is(err, os.ErrNotExist) {
			spare = ""
			w, err = create(d.fs, s, "", d.o.segment/smallPart, need, d.o.Sync != SyncNever)
		}
	}
	d.mu.Lock()
	if err != nil {
		if spare != "" {
			d.spares = append(d.spares, spare)
		}
		d.tail = old
		return err
	}
	if old != nil {
		old.dirty = false
		old.seg.end = s.base
		old.f.Close()
	}
	for i := range d.held {
		if h := &d.held[i]; !h.dead {
			h.logged = false // in what counts of the log from now on
		}
	}
	// What is held again is not in those any more that had it.
	for n := len(d.segs); n > 0 && d.segs[n-1].base >= s.base; n-- {
		d.spent = append(d.spent, d.segs[n-1])
		d.segs = d.segs[:n-1]
	}
	d.segs = append(d.segs, s)
	d.tail, d.counted = w, s.base
	d.trim()
	if len(d.pos.sacks.list) > 0 {
		d.trimMiddle()
	}
	d.keeper.wake()
	return nil
}

// random returns what makes a segment or a mark unlike all others.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return max(le.Uint64(b[:]), 1)
}
