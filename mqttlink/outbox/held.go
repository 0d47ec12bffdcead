package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"
)

// held is a message in memory, because the disk cannot be written.
type held struct {
	Record
	size   int64 // as it counts
	dead   bool  // was dropped, and has no payload any more
	logged bool  // is in a segment too, which is not trusted any more
	// writing: it is on its way into a segment by heal. If it is gone before it
	// gets there, it counts all the same.
	writing bool
	to      uint64 // if it is dead it may stand for all up to this number: see squeeze
}

// last is the number of the last message that h stands for.
func (h *held) last() uint64 { return max(h.Seq, h.to) }

// hold takes r into memory. d.mu is held.
func (d *Disk) hold(r *Record) (uint64, error) {
	if d.o.MaxHeld >= 0 && d.heldBytes+r.size() > d.o.MaxHeld {
		d.dropped++
		return 0, fmt.Errorf("%w: the disk cannot be written, and what is held in memory has reached its limit: %w", ErrFull, d.err)
	}
	h := held{Record: *r, size: r.size()}
	h.Payload = slices.Clone(r.Payload)
	h.Seq = d.next
	d.next++
	d.appended.add(h.Class, h.size)
	d.held = append(d.held, h)
	d.heldBytes += h.size
	return h.Seq, d.heldErr
}

// heldFrom returns the first live message in memory from seq on.
func (d *Disk) heldFrom(seq uint64) (Record, bool) {
	for i := d.heldIndex(seq); i < len(d.held); i++ {
		if h := &d.held[i]; h.Seq > d.pos.acked && !d.goneHeld(h) {
			return h.Record, true
		}
	}
	return Record{}, false
}

// goneHeld reports whether a message in memory was dropped or acknowledged by itself.
func (d *Disk) goneHeld(h *held) bool {
	return h.dead || h.Seq < d.pos.floors[h.Class] || d.pos.sacks.has(h.Seq)
}

// kill lets go of a message in memory that is gone, all but its place.
func (d *Disk) kill(h *held) {
	if !h.dead {
		h.dead, h.Payload, h.Topic = true, nil, ""
		d.heldBytes -= h.size
	}
}

// forgetHeld forgets the messages that are gone at the front of those in memory. Of
// one that was dropped, and is in a file that is not trusted, the log must tell.
func (d *Disk) forgetHeld() {
	n := 0
	for n < len(d.held) && (d.held[n].dead && !d.held[n].logged || d.pos.sacks.has(d.held[n].Seq)) {
		d.safe = d.held[n].last() + 1
		n++
	}
	if n > 0 {
		d.popHeld()
		d.idle.Broadcast()
	}
	d.squeeze()
}

// squeezeAt is how many messages in memory must have gone for it to be worth while.
const squeezeAt = 64

// squeeze lets one entry stand for those in a row that are gone and were never
// written: a disk that fails for days, with one message in front that stays, must not
// fill the memory with the places of others.
func (d *Disk) squeeze() {
	if d.killed++; d.killed < max(squeezeAt, len(d.held)/2) {
		return
	}
	d.killed = 0
	place := func(h *held) bool { return h.dead && !h.logged && !h.writing }
	kept := d.held[:0]
	for _, h := range d.held {
		if n := len(kept); n > 0 && place(&h) && place(&kept[n-1]) && kept[n-1].last()+1 == h.Seq {
			kept[n-1].to = h.last()
			continue
		}
		kept = append(kept, h)
	}
	clear(d.held[len(kept):])
	d.held = kept
}

// heldCount returns how many messages are in memory only.
func (d *Disk) heldCount() (n int) {
	for i := range d.held {
		if !d.goneHeld(&d.held[i]) {
			n++
		}
	}
	return n
}

func (d *Disk) heldIndex(seq uint64) int {
	return sort.Search(len(d.held), func(i int) bool { return d.held[i].last() >= seq })
}

// popHeld forgets the messages that are in the log now, or gone.
func (d *Disk) popHeld() {
	n := d.heldIndex(d.safe)
	for i := range d.held[:n] {
		if d.held[i].logged { // it was in the log all the same, and counts there
			d.logged = max(d.logged, d.held[i].Seq+1)
			d.counted = max(d.counted, d.logged)
		}
		d.kill(&d.held[i])
		d.held[i] = held{}
	}
	d.held = d.held[n:]
	if len(d.held) == 0 {
		d.held, d.killed = nil, 0
	} else if h := &d.held[0]; h.Seq < d.safe {
		h.Seq = d.safe // a part of what it stands for is
	}
}

// fail begins to hold messages, or goes on to: what g and the other group
// contain is not safe. d.mu is held, and busy is ours.
func (d *Disk) fail(cause error, g *group) {
	w := d.tail
	if w != nil && d.o.Sync != SyncNever {
		d.takeBack(w)
	}
	if d.err == nil { // otherwise what is in the group is in memory as well
		d.retryWait = d.o.Retry
		d.o.Log.Error("outbox cannot be written: messages are held in memory until it can", "dir", d.dir, "error", cause)
		if w != nil {
			d.takeGroup(w, g)
			d.takeGroup(w, &d.groups[d.fill])
		}
	}
	d.err = cause
	d.heldErr = fmt.Errorf("%w: %w", ErrHeld, cause)
	d.retryAt = time.Now().Add(d.retryWait)
	if w != nil {
		// Never written again: after a failed sync nobody knows what of it is on
		// the disk, and the kernel does not try again.
		w.seg.end = d.safe
		w.f.Close()
		d.tail = nil
		// One with messages that are held again stays: the kernel may still have them
		// when this process has been killed.
		if n := len(d.segs); w.seg.limit == firstRecord && n > 0 && d.segs[n-1] == w.seg {
			d.segs = d.segs[:n-1]
			d.spent = append(d.spent, w.seg)
		}
	}
	for i := range d.groups {
		d.groups[i].end()
	}
	d.keeper.wake()
}

// takeBack holds what the kernel was given and may not have on the disk. What it
// cannot return stays where it is.
func (d *Disk) takeBack(w *writer) {
	n := w.seg.limit - w.syncedOff
	if !w.dirty && !d.syncing || n <= 0 { // a sync that is under way may fail yet
		return
	}
	b := make([]byte, n)
	if err := readAll(w.f, b, w.syncedOff); err != nil {
		return
	}
	rs, ok := w.decode(b, w.syncedSeed, true)
	if !ok {
		return
	}
	var back []held
	for _, r := range rs {
		if r.Seq > d.pos.acked && r.Seq < d.safe {
			back = append(back, held{Record: r, size: r.size(), logged: true})
			d.heldBytes += r.size()
		}
	}
	if len(back) > 0 {
		w.seg.taken = true
		d.safe = back[0].Seq
		d.logged = min(d.logged, d.safe)
		d.held = append(back, d.held...)
	}
}

// takeGroup holds what is in a group.
func (d *Disk) takeGroup(w *writer, g *group) {
	if g == nil || len(g.buf) == 0 {
		return
	}
	rs, _ := w.decode(slices.Clone(g.buf), 0, false)
	for _, r := range rs {
		d.held = append(d.held, held{Record: r, size: r.size()})
		d.heldBytes += r.size()
	}
	g.buf = g.buf[:0]
}

// decode returns the messages in a part of the segment.
func (w *writer) decode(b []byte, seed uint32, check bool) (rs []Record, ok bool) {
	for len(b) >= headSize {
		h, ok := readHead(b)
		if !ok || h.size() > int64(len(b)) {
			return rs, false
		}
		mark := h.kind() == kindMark
		if check && (!mark && !sumOK(b, &h, seed) || mark && !sumOK(b, &h, seedOf(0, w.seg.nonce))) {
			return rs, false
		}
		if mark && h.length == 8 {
			seed = seedOf(seedOf(0, w.seg.nonce), le.Uint64(b[headSize:]))
		}
		if h.kind() == kindData && int(h.topic) < len(w.names) {
			rs = append(rs, h.message(h.seq(w.seg.base), w.names[h.topic], b[headSize:headSize+h.length]))
		}
		b = b[h.size():]
	}
	return rs, true
}

// heal writes what is held to a new segment. d.mu is held, and busy is ours; the
// lock is let go meanwhile.
func (d *Disk) heal() {
	if len(d.spent) > 0 {
		d.mu.Unlock()
		d.recycle() // a full disk needs the room
		d.mu.Lock()
	}
	for d.err != nil {
		room, next := int64(0), d.next
		if len(d.held) > 0 {
			room, next = need(&d.held[0].Record), d.held[0].Seq
		}
		// What was delivered meanwhile is never written: it leaves a gap.
		if d.tail == nil || d.tail.next != next || d.tail.end+room > d.tail.size {
			// What of the log is gone must be known, or the new segment hides it
			// and counts it.
			d.mu.Unlock()
			err := d.savePosition(d.o.Sync != SyncNever)
			d.mu.Lock()
			if err == nil {
				err = d.roll(room)
			}
			if err != nil {
				d.healLater(err)
				return
			}
			continue
		}
		if len(d.held) == 0 {
			if w := d.tail; w.dirty || d.syncing {
				d.awaitSync()
				err := w.lost
				if err == nil {
					d.mu.Unlock()
					err = w.f.Sync()
					d.mu.Lock()
				}
				if err != nil {
					d.fail(err, nil)
					d.healLater(err)
					return
				}
				w.synced(w.seg.limit)
				w.dirty = false
				continue
			}
			d.o.Log.Info("outbox can be written again", "dir", d.dir)
			d.err, d.heldErr = nil, nil
			d.safe = max(d.safe, d.next)
			return
		}
		for i := 0; i < len(d.held) && d.encodeHeld(&d.held[i]); i++ {
		}
		if d.commit(false); d.tail == nil {
			for i := range d.held {
				d.held[i].writing = false
			}
			d.healLater(d.err)
			return
		}
		d.popHeld()
	}
}

// encodeHeld puts h into the group being filled. It reports whether there is room for
// more, and nothing missing before h: after a gap another segment is begun.
func (d *Disk) encodeHeld(h *held) bool {
	for seq := h.Seq; seq <= h.last(); seq++ {
		w := d.tail
		if w.next != seq || w.end+need(&h.Record) > w.size || len(d.groups[d.fill].buf) > maxGroupBuffer {
			return false
		}
		if h.dead {
			d.encodeDropped(h, seq)
		} else {
			d.encode(&h.Record, seq)
			h.writing = true
		}
	}
	return true
}

// healLater notes an attempt that did not succeed.
func (d *Disk) healLater(err error) {
	d.err = err
	d.heldErr = fmt.Errorf("%w: %w", ErrHeld, err)
	d.retryWait = min(2*d.retryWait, d.o.RetryMax)
	d.retryAt = time.Now().Add(d.retryWait)
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
