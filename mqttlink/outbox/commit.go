package outbox

import (
	"errors"
	"runtime"
)

// committer brings messages to the log: it puts them into groups, writes a group at a time,
// and begins segments. Appends that run at the same time share one write and one sync: the one
// that finds no other writing leads, and writes what the others have encoded meanwhile.
//
// It has no lock of its own. What it does with unsaved.busy set only one goroutine does at a
// time. It never waits for the disk with a lock held, but to take back what is unsynced.
type committer struct {
	o       *DiskOptions
	dir     string // for the log of the program
	owner   *owner
	pos     *position
	unsaved *unsaved
	log     *log
	wake    func() // the keeper
	recycle func() // makes room
	limited bool   // messages are counted before one is taken
}

// take gives r a number and puts it into a group, or into memory. It returns with
// unsaved.mu held.
func (c *committer) take(r *Record) (uint64, error) {
	u := c.unsaved
	if len(r.Topic) > maxTopic || len(r.Payload) > maxPayload {
		u.mu.Lock()
		return 0, ErrTooLarge
	}
	if r.undated() {
		r.Time = c.o.Now()
	}
	for {
		switch fits := c.lockFor(r); {
		case u.closed:
			return 0, ErrClosed
		case fits == noRoom:
			return 0, ErrFull
		case fits == roomLater:
			c.writeOrWait()
		case u.err != nil:
			return u.keep(r)
		case u.enc != nil && u.enc.fits(r):
			return u.add(r), nil
		default:
			c.makeSegment(r)
		}
		u.mu.Unlock()
	}
}

// lockFor takes unsaved.mu when there is room for r under the limits. No message can come
// between: it would have to count, which takes unsaved.mu.
func (c *committer) lockFor(r *Record) (fits room) {
	if c.limited {
		c.pos.mu.Lock()
		defer c.pos.mu.Unlock()
		if fits = c.pos.makeRoom(r); fits == noRoom {
			c.pos.dropped++
		}
	}
	c.unsaved.mu.Lock()
	return fits
}

// makeSegment begins a segment with room for r, or waits for the one that writes. unsaved.mu is held,
// and let go meanwhile.
func (c *committer) makeSegment(r *Record) {
	u := c.unsaved
	if u.busy {
		u.idle.Wait()
		return
	}
	u.busy = true
	for u.err == nil && len(u.groups[u.fill].buf) > 0 { // others may add to the old segment while it is written
		c.commit(false)
	}
	if u.err == nil {
		if err := c.roll(need(r)); err != nil {
			c.fail(err, nil)
		}
	}
	u.release()
}

// writeOrWait writes the group being filled, or waits for the one that writes. unsaved.mu is held, and
// let go meanwhile.
func (c *committer) writeOrWait() {
	u := c.unsaved
	if u.busy {
		u.idle.Wait()
		return
	}
	u.busy = true
	c.commit(false)
	u.release()
}

// settle waits until the message seq, which has been put into a group, is safe or in memory.
// Unless late is true that was done just now: the caller is then woken with its group alone.
// unsaved.mu is held, and let go meanwhile.
func (c *committer) settle(seq uint64, late bool) error {
	u := c.unsaved
	g := &u.groups[u.fill]
	for seq >= u.safe && u.err == nil {
		switch {
		case u.busy && late:
			u.idle.Wait()
		case u.busy:
			g.done.Wait()
		default:
			u.busy = true
			c.commit(c.o.Sync == SyncAlways)
			u.release()
		}
	}
	if seq >= u.safe {
		return u.appendErr
	}
	return nil
}

// commit writes the group being filled. unsaved.mu is held, and let go meanwhile; busy is
// ours. With yield, others get a turn to join first: a sync takes far longer.
func (c *committer) commit(yield bool) {
	u := c.unsaved
	if yield {
		u.mu.Unlock()
		runtime.Gosched()
		u.mu.Lock()
	}
	g := &u.groups[u.fill]
	if len(g.buf) == 0 {
		return
	}
	c.close(g)
	u.mu.Unlock()
	err := c.log.write(g.buf, g.off, c.o.Sync == SyncAlways)
	u.mu.Lock()
	if err != nil {
		c.fail(err, g)
		return
	}
	u.wrote(g)
}

// close ends the filling of a group, before it is written.
func (c *committer) close(g *group) {
	if len(g.buf) > padFrom {
		c.unsaved.enc.pad(g, g.next)
	}
	c.unsaved.fill ^= 1
}

// roll begins a new segment with room for need. unsaved.mu is held, and let go meanwhile;
// busy is ours, and no group is filled.
func (c *committer) roll(need int64) error {
	u := c.unsaved
	s := &segment{base: u.next, serial: c.log.newSerial(), segmentHead: segmentHead{nonce: random(), before: u.appended}}
	if len(u.list) > 0 {
		s.base = u.list[0].Seq
		for i := range u.list {
			if m := &u.list[i]; m.counts() {
				s.before.remove(m.Class, m.size)
			}
		}
	}
	s.follows = min(u.logged, s.base)
	enc := u.enc
	u.enc = nil // nothing is added to it any more
	u.mu.Unlock()
	old := c.log.detach()
	err := c.owner.own()
	var t *tail
	var size int64
	if err == nil {
		t, size, err = c.log.begin(s, old, need)
	}
	c.pos.mu.Lock()
	defer c.pos.mu.Unlock()
	u.mu.Lock()
	if err != nil {
		c.log.attach(old, old)
		u.enc = enc
		return err
	}
	c.log.attach(t, old)
	for i := range u.list {
		if m := &u.list[i]; !m.dead && m.logged {
			// From the new segment on. Until something is in that, the old one counts.
			m.logged, m.tried = false, true
		}
	}
	u.enc = newEncoder(s, size, c.o.Sync == SyncAlways)
	c.pos.trim()
	if len(c.pos.sacks.list) > 0 {
		c.log.trimMiddle(&c.pos.ackState)
	}
	c.wake()
	return nil
}

// sync is Box.Sync.
func (c *committer) sync() error {
	u := c.unsaved
	u.mu.Lock()
	defer u.mu.Unlock()
	last := u.next - 1
	for !u.closed {
		switch t := c.log.tailState(); {
		case last >= u.safe:
			if err := c.settle(last, true); err != nil {
				return err
			}
		case c.o.Sync == SyncNever:
			return nil
		case u.busy && (!t.open || u.err != nil): // a segment is being begun, and the one before it synced
			u.idle.Wait()
		case !t.open:
			return nil
		case u.err != nil: // what was unsaved is being written
			u.idle.Wait()
		case !t.unsynced:
			return nil
		default:
			u.mu.Unlock()
			c.syncNow()
			u.mu.Lock()
		}
	}
	return ErrClosed
}

// syncNow syncs the log.
func (c *committer) syncNow() {
	t, err := c.log.sync()
	if err == nil {
		return
	}
	u := c.unsaved
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.busy {
		u.idle.Wait()
	}
	if c.log.isTail(t) {
		u.busy = true
		c.fail(err, nil)
		u.release()
	}
}

// append is Box.AppendAll.
func (c *committer) append(rs []Record) (a Appended, err error) {
	u := c.unsaved
	for _, r := range rs {
		seq, takeErr := c.take(&r)
		u.mu.Unlock()
		if takeErr != nil && !errors.Is(takeErr, ErrUnsaved) {
			err = takeErr
			break
		}
		if a.N == 0 {
			a.First = seq
		}
		a.Last = seq
		a.N++
	}
	if a.N > 0 {
		u.mu.Lock()
		err = errors.Join(c.settle(a.Last, true), err)
		u.mu.Unlock()
	}
	return a, err
}
