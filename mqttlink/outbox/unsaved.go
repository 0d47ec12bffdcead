package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// unsaved is the messages that have their number and are not in the log: those in groups,
// which are written when they are settled, and, while the disk cannot be written, a list in
// memory.
//
//	gone | in the log | list, or groups | not taken yet
//	     acked        safe              next
//
// The list changes only while the position's lock is held, too, but for its end.
type unsaved struct {
	o *DiskOptions

	mu     sync.Mutex
	closed bool
	// busy is the right to write to the log, which is done without mu.
	busy   bool
	idle   sync.Cond // busy has ended, or safe has grown
	groups [2]group  // one is being filled, the other written
	fill   int
	enc    *encoder // of the log's tail; nil: the next append begins a segment

	next     uint64 // sequence number of the next message
	safe     uint64 // messages below are in the log or gone
	logged   uint64 // sequence number behind the last message in the log
	appended tally  // all messages below next
	recent   recent // the last of them

	list      []unsavedMessage // while the disk cannot be written
	bytes     int64
	gone      int   // how many of them have gone since squeeze
	lost      int   // by Close: those that could not be written for the last time
	refused   int   // because the list has reached its limit
	err       error // why; nil: the disk is well
	appendErr error // err as Append returns it
	retryAt   time.Time
	retryWait time.Duration
}

// recent remembers what the last messages were like, so that acknowledging them
// soon, as happens on a good network, takes no reading.
type recent [64]struct {
	seq   uint64
	size  int64
	class Class
}

func (m *recent) note(seq uint64, r *Record) {
	e := &m[seq%uint64(len(m))]
	e.seq, e.size, e.class = seq, r.size(), r.Class
}

// unsavedMessage is a message in memory, because the disk cannot be written.
type unsavedMessage struct {
	Record
	size   int64 // as it counts
	dead   bool  // was dropped, and has no payload any more
	logged bool  // is in a segment too, which is not trusted any more
	// tried: a write of it has begun, and may have reached a file even if it failed. When it
	// is gone it counts as gone: opening the box corrects what counts and is in no file, and
	// not what is in a file and does not count.
	tried bool
	to    uint64 // if it is dead it may stand for all up to this number: see squeeze
}

// counts reports whether m counts in the tallies, even when it is gone.
func (m *unsavedMessage) counts() bool { return !m.dead || m.logged || m.tried }

// last is the number of the last message that m stands for.
func (m *unsavedMessage) last() uint64 { return max(m.Seq, m.to) }

// goneIn reports whether a message was dropped, or acknowledged by itself.
func (m *unsavedMessage) goneIn(a *ackState) bool {
	return m.dead || m.Seq <= a.acked || m.Seq < a.floors[m.Class] || a.sacks.has(m.Seq)
}

// kill lets go of a message that is gone, all but its place. u.mu is held.
func (u *unsaved) kill(m *unsavedMessage) {
	if !m.dead {
		m.dead, m.Payload, m.Topic = true, nil, ""
		u.bytes -= m.size
	}
}

// add puts r into the group being filled, and returns its number. u.mu is held.
func (u *unsaved) add(r *Record) uint64 {
	seq := u.next
	u.next++
	u.enc.encode(&u.groups[u.fill], r, seq)
	u.appended.add(r.Class, r.size())
	u.recent.note(seq, r)
	return seq
}

// keep puts r into the list, and returns its number and an error that wraps ErrUnsaved. u.mu
// is held.
func (u *unsaved) keep(r *Record) (uint64, error) {
	if u.o.MaxUnsaved >= 0 && u.bytes+r.size() > u.o.MaxUnsaved {
		u.refused++
		return 0, fmt.Errorf("%w: the disk cannot be written, and what is in memory only has reached its limit: %w", ErrFull, u.err)
	}
	m := unsavedMessage{Record: *r, size: r.size()}
	m.Payload = slices.Clone(r.Payload)
	m.Seq = u.next
	u.next++
	u.appended.add(m.Class, m.size)
	u.list = append(u.list, m)
	u.bytes += m.size
	return m.Seq, u.appendErr
}

// wrote notes that a group is in the log. u.mu is held, and busy is ours.
func (u *unsaved) wrote(g *group) {
	u.safe, u.logged = max(u.safe, g.next), g.next
	g.end()
}

// release ends the right to write, and passes it on if there is more. u.mu is held.
func (u *unsaved) release() {
	u.busy = false
	u.idle.Broadcast()
	if g := &u.groups[u.fill]; len(g.buf) > 0 {
		g.done.Signal()
	}
}

// index returns the place in the list of the first message from seq on. u.mu is held.
func (u *unsaved) index(seq uint64) int {
	return sort.Search(len(u.list), func(i int) bool { return u.list[i].last() >= seq })
}

// pop forgets the messages that are in the log now, or gone. u.mu is held.
func (u *unsaved) pop() {
	n := u.index(u.safe)
	for i := range u.list[:n] {
		if u.list[i].logged { // it was in the log all the same, and counts there
			u.logged = max(u.logged, u.list[i].Seq+1)
		}
		u.kill(&u.list[i])
		u.list[i] = unsavedMessage{}
	}
	u.list = u.list[n:]
	if len(u.list) == 0 {
		u.list, u.gone = nil, 0
	} else if m := &u.list[0]; m.Seq < u.safe {
		m.Seq = u.safe // a part of what it stands for is
	}
}

// squeezeAt is how many messages in memory must have gone for it to be worth while.
const squeezeAt = 64

// squeeze lets one entry stand for those in a row that are gone and were never
// written: a disk that fails for days, with one message in front that stays, must not
// fill the memory with the places of others. u.mu is held.
func (u *unsaved) squeeze() {
	if u.gone++; u.gone < max(squeezeAt, len(u.list)/2) {
		return
	}
	u.gone = 0
	place := func(m *unsavedMessage) bool { return m.dead && !m.logged && !m.tried }
	kept := u.list[:0]
	for _, m := range u.list {
		if n := len(kept); n > 0 && place(&m) && place(&kept[n-1]) && kept[n-1].last()+1 == m.Seq {
			kept[n-1].to = m.last()
			continue
		}
		kept = append(kept, m)
	}
	clear(u.list[len(kept):])
	u.list = kept
}

// The following are for the position, whose lock is held.

// numbers returns how far the log reaches, the number of the next message, and what was
// appended before it.
func (u *unsaved) numbers() (safe, next uint64, appended tally) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.safe, u.next, u.appended
}

// visible returns the first sequence number that cannot be read yet, and the next one.
func (u *unsaved) visible() (visible, next uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.list); n > 0 {
		return u.list[n-1].last() + 1, u.next
	}
	return u.safe, u.next
}

// find looks for a message of a set of classes. If all from seq on are unsaved, m is the
// first of them that can be read, or nil; if not, inLog is true, up to safe.
func (u *unsaved) find(seq uint64, set classSet, a *ackState) (m *unsavedMessage, safe uint64, inLog bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if seq < u.safe {
		return nil, u.safe, true
	}
	for i := u.index(seq); i < len(u.list); i++ {
		if m := &u.list[i]; set.has(m.Class) && !m.goneIn(a) {
			found := *m
			return &found, u.safe, false
		}
	}
	return nil, u.safe, false
}

// takeOut takes a message of the list out. It reports whether it counts in the log, or may be
// in it: then it has to be counted as gone. One that was never written is as if it had
// never been: the tallies in the files count what is in them.
func (u *unsaved) takeOut(seq uint64) (counts bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &u.list[u.index(seq)]
	if m.logged || m.tried {
		return true
	}
	u.appended.remove(m.Class, m.size)
	return false
}

// drop lets go of a message of the list that was taken out.
func (u *unsaved) drop(seq uint64) {
	u.mu.Lock()
	u.kill(&u.list[u.index(seq)])
	u.mu.Unlock()
}

// forgetGone forgets the messages that are gone at the front of the list. Of one that was
// dropped, and is in a file that is not trusted, the log must tell.
func (u *unsaved) forgetGone(a *ackState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for n < len(u.list) && (u.list[n].dead && !u.list[n].logged || a.sacks.has(u.list[n].Seq)) {
		u.safe = u.list[n].last() + 1
		n++
	}
	if n > 0 {
		u.pop()
		u.idle.Broadcast()
	}
	u.squeeze()
}

// passed forgets the messages up to acked.
func (u *unsaved) passed(acked uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if acked >= u.safe && len(u.list) > 0 {
		u.safe = acked + 1
		u.pop()
		u.idle.Broadcast()
	}
}

// passRecent adds messages behind a.acked, up to seq, to gone, as long as they are known and
// all is well, and returns the last of them.
func (u *unsaved) passRecent(gone *tally, seq uint64, a *ackState) (to uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	to = a.acked
	if u.err != nil || len(u.list) > 0 {
		return to
	}
	for to < min(seq, u.safe-1) {
		e := &u.recent[(to+1)%uint64(len(u.recent))]
		if e.seq != to+1 || a.floors[e.class] > to+1 {
			break
		}
		gone.add(e.class, e.size)
		to++
	}
	return to
}

// stats fills in what is unsaved.
func (u *unsaved) stats(s *Stats, a *ackState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.Unsaved, s.UnsavedBytes, s.Err = u.count(a)+u.lost, u.bytes, u.err
	s.Dropped += uint64(u.refused)
}

// lose lets go of the list, at the end.
func (u *unsaved) lose(a *ackState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lost = u.count(a)
	u.list, u.bytes = nil, 0
}

// failing reports whether the disk cannot be written, and when to try again.
func (u *unsaved) failing() (bool, time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err != nil, u.retryAt
}

// await is Box.Safe.
func (u *unsaved) await(ctx context.Context, seq uint64) error {
	stop := context.AfterFunc(ctx, func() {
		u.mu.Lock()
		u.idle.Broadcast()
		u.mu.Unlock()
	})
	defer stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	for seq >= u.safe {
		switch {
		case ctx.Err() != nil:
			return cmp.Or(u.appendErr, ctx.Err())
		case u.closed:
			return cmp.Or(u.appendErr, ErrClosed)
		}
		u.idle.Wait()
	}
	return nil
}

// count returns how many messages are in memory only. u.mu is held.
func (u *unsaved) count(a *ackState) (n int) {
	for i := range u.list {
		if !u.list[i].goneIn(a) {
			n++
		}
	}
	return n
}
