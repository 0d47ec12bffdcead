package outbox

import (
	"fmt"
	"slices"
	"time"
)

// fail begins to keep messages in memory, or continues to: what g and the other group contain
// is not safe. unsaved.mu is held, and let go for a moment; busy is ours.
func (c *committer) fail(cause error, g *group) {
	u := c.unsaved
	u.mu.Unlock()
	c.pos.mu.Lock()
	defer c.pos.mu.Unlock()
	u.mu.Lock()
	c.failNow(cause, g)
}

// failNow is fail with both locks held.
func (c *committer) failNow(cause error, g *group) {
	u := c.unsaved
	taken := u.enc != nil && c.o.Sync != SyncNever && c.takeBack()
	if u.err == nil { // otherwise what is in the group is in memory as well
		u.retryWait = c.o.Retry
		c.o.Log.Error("outbox cannot be written: messages are kept in memory until it can", "dir", c.dir, "err", cause)
		if u.enc != nil {
			c.takeGroup(g, true)
			c.takeGroup(&u.groups[u.fill], false)
		}
	}
	u.err = cause
	u.appendErr = fmt.Errorf("%w: %w", ErrUnsaved, cause)
	u.retryAt = time.Now().Add(u.retryWait)
	c.log.abandon(u.safe, taken)
	u.enc = nil
	for i := range u.groups {
		u.groups[i].end()
	}
	c.wake()
}

// takeBack takes into memory what the kernel was given and may not have on the disk. It
// reports whether there was anything.
func (c *committer) takeBack() bool {
	u := c.unsaved
	b, seed := c.log.unsynced()
	rs, ok := u.enc.decode(b, seed, true)
	if !ok {
		return false
	}
	var back []unsavedMessage
	for _, r := range rs {
		if r.Seq > c.pos.acked && r.Seq < u.safe {
			back = append(back, unsavedMessage{Record: r, size: r.size(), logged: true})
			u.bytes += r.size()
		}
	}
	if len(back) == 0 {
		return false
	}
	u.safe = back[0].Seq
	u.logged = min(u.logged, u.safe)
	u.list = append(back, u.list...)
	return true
}

// takeGroup takes into memory what is in a group. tried says that a write of it has begun: a
// part of it may be in the file.
func (c *committer) takeGroup(g *group, tried bool) {
	u := c.unsaved
	if g == nil || len(g.buf) == 0 {
		return
	}
	rs, _ := u.enc.decode(slices.Clone(g.buf), 0, false)
	for _, r := range rs {
		u.list = append(u.list, unsavedMessage{Record: r, size: r.size(), tried: tried})
		u.bytes += r.size()
	}
	g.buf = g.buf[:0]
}

// tryHeal tries to write what is in memory only.
func (c *committer) tryHeal() {
	u := c.unsaved
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.busy {
		u.idle.Wait()
	}
	if u.err == nil || u.closed {
		return
	}
	u.busy = true
	c.heal()
	u.release()
}

// heal writes what is in memory only to a new segment. unsaved.mu is held, and let go
// meanwhile; busy is ours.
func (c *committer) heal() {
	u := c.unsaved
	u.mu.Unlock()
	if c.log.anySpent() {
		c.recycle() // a full disk needs the room
	}
	var err error
	for done := false; !done; {
		done, err = c.healStep()
	}
	u.mu.Lock()
	if err != nil {
		u.err = err
		u.appendErr = fmt.Errorf("%w: %w", ErrUnsaved, err)
		u.retryWait = min(2*u.retryWait, c.o.RetryMax)
		u.retryAt = time.Now().Add(u.retryWait)
	}
}

// healStep does one step of that: it begins a segment, writes a group, or syncs the last one.
func (c *committer) healStep() (done bool, err error) {
	u := c.unsaved
	c.pos.mu.Lock()
	u.mu.Lock()
	unlock := func() {
		u.mu.Unlock()
		c.pos.mu.Unlock()
	}
	room, next, fits := int64(0), u.next, true
	if len(u.list) > 0 {
		first := &u.list[0].Record
		room, next, fits = need(first), first.Seq, u.enc != nil && u.enc.fits(first)
	}
	// What was delivered meanwhile is never written: it leaves a gap.
	switch {
	case u.enc == nil || u.enc.next != next || !fits:
		unlock()
		// What of the log is gone must be known, or the new segment hides it
		// and counts it.
		if err := c.pos.save(c.o.Sync != SyncNever); err != nil {
			return true, err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		err := c.roll(room)
		return err != nil, err
	case len(u.list) > 0:
		for i := 0; i < len(u.list) && c.encodeUnsaved(&u.list[i]); i++ {
		}
		g := &u.groups[u.fill]
		c.close(g)
		unlock()
		err := c.log.write(g.buf, g.off, c.o.Sync == SyncAlways)
		c.pos.mu.Lock()
		u.mu.Lock()
		defer unlock()
		if err != nil {
			c.failNow(err, g)
			return true, err
		}
		u.wrote(g)
		u.pop()
		return false, nil
	case c.log.tailState().unsynced:
		unlock()
		if err := c.log.syncRest(); err != nil {
			c.pos.mu.Lock()
			u.mu.Lock()
			defer unlock()
			c.failNow(err, nil)
			return true, err
		}
		return false, nil
	}
	c.o.Log.Info("outbox can be written again", "dir", c.dir)
	u.err, u.appendErr = nil, nil
	u.safe = max(u.safe, u.next)
	unlock()
	return true, nil
}

// encodeUnsaved puts m into the group being filled. It reports whether there is room for
// more, and nothing missing before m: after a gap another segment is begun.
func (c *committer) encodeUnsaved(m *unsavedMessage) bool {
	u := c.unsaved
	g := &u.groups[u.fill]
	for seq := m.Seq; seq <= m.last(); seq++ {
		if e := u.enc; e.next != seq || !e.fits(&m.Record) || len(g.buf) > maxGroupBuffer {
			return false
		}
		if m.dead {
			u.enc.encodeDropped(g, seq, m.Class, m.size, m.counts())
		} else {
			u.enc.encode(g, &m.Record, seq)
			m.tried = true
		}
	}
	return true
}
