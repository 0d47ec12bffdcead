package outbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
)

// tail is the last segment, while it can be appended to. The log's lock guards it.
type tail struct {
	seg   *segment
	f     file
	nonce uint32 // the seed of marks
	seed  uint32 // of what this process writes
	ours  bool   // it has written

	// What a sync has covered.
	syncedOff  int64
	syncedSeed uint32       // of the records there
	fence      atomic.Int64 // syncedOff, once one has
	dirty      bool         // something was written since
	lost       error        // of a sync that has failed
}

// synced notes that all before off is on the disk.
func (t *tail) synced(off int64) {
	t.syncedOff = off
	t.fence.Store(off)
	if t.ours {
		t.syncedSeed = t.seed
	}
}

// firstSeed is the seed of the record at the beginning of b.
func (t *tail) firstSeed(b []byte) uint32 {
	if h, _ := readHead(b); h.kind() == kindMark {
		return t.nonce
	}
	return t.seed
}

// write appends a group's records at off, and syncs them if that is wanted. Only the goroutine
// with the right to write to the log calls it.
func (l *log) write(b []byte, off int64, sync bool) error {
	t := l.tail // no other changes it now
	if t.fence.Load() == off {
		setSynced(b, t.firstSeed(b))
	}
	_, err := t.f.WriteAt(b, off)
	if err == nil && sync {
		err = t.f.Sync()
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t.ours = true
	t.seg.limit = off + int64(len(b))
	switch {
	case sync:
		t.synced(t.seg.limit)
		t.dirty = false
	case !t.dirty:
		t.dirty = true
		l.wake()
	}
	return nil
}

// unsynced returns the end of the log that the kernel was given and may not have on the
// disk, and the seed of its records. What cannot be read again stays where it is.
func (l *log) unsynced() (b []byte, seed uint32) {
	l.mu.Lock()
	t := l.tail
	if t == nil || !t.dirty && !l.syncing || t.seg.limit <= t.syncedOff { // a sync that is under way may fail yet
		l.mu.Unlock()
		return nil, 0
	}
	b = make([]byte, t.seg.limit-t.syncedOff)
	off, seed := t.syncedOff, t.syncedSeed
	l.mu.Unlock()
	if readAll(t.f, b, off) != nil {
		return nil, 0
	}
	return b, seed
}

// tailState is what others need to know of the tail.
type tailState struct {
	open, ours bool
	unsynced   bool // it is dirty, or being synced
	dirty      bool
}

func (l *log) tailState() (s tailState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tail; t != nil {
		s = tailState{open: true, ours: t.ours, dirty: t.dirty, unsynced: t.dirty || l.syncing}
	}
	return s
}

// sync syncs the log, or waits until another has. Appends continue meanwhile. With an
// error the tail that has lost something is returned.
func (l *log) sync() (t *tail, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitSync()
	if t = l.tail; t == nil || !t.dirty {
		return nil, nil
	}
	off := t.seg.limit
	t.dirty, l.syncing = false, true
	l.mu.Unlock()
	err = t.f.Sync()
	l.mu.Lock()
	l.syncing = false
	l.syncDone.Broadcast()
	if l.tail != t { // abandoned by a write that failed
		return nil, nil
	}
	if err != nil {
		t.dirty, t.lost = true, err
		return t, err
	}
	t.synced(off)
	return nil, nil
}

// syncRest is sync for the goroutine with the right to write.
func (l *log) syncRest() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitSync()
	t := l.tail
	if t.lost != nil { // a second sync reports nothing of what the first one lost
		return t.lost
	}
	l.mu.Unlock()
	err := t.f.Sync()
	l.mu.Lock()
	if err == nil {
		t.synced(t.seg.limit)
		t.dirty = false
	}
	return err
}

// awaitSync waits for a sync that is under way. l.mu is held.
func (l *log) awaitSync() {
	for l.syncing {
		l.syncDone.Wait()
	}
}

// isTail reports whether t is still the tail.
func (l *log) isTail(t *tail) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail == t
}

// detach takes the tail away, when no sync of it is under way.
func (l *log) detach() (t *tail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitSync()
	t, l.tail = l.tail, nil
	return t
}

// finish syncs and closes a tail that was taken away.
func (t *tail) finish(sync bool) (err error) {
	if sync && t.dirty {
		if err = t.lost; err == nil {
			err = t.f.Sync()
		}
		if err != nil {
			err = fmt.Errorf("what was written last may not survive a power cut: %w", err)
		}
	}
	return errors.Join(err, t.f.Close())
}

// begin makes the file of a new segment, to be attached, when all in the tail before it is
// on the disk. old is that one, or nil.
func (l *log) begin(s *segment, old *tail, need int64) (t *tail, size int64, err error) {
	keeps := l.o.Sync != SyncNever
	if err := l.undo(); err != nil {
		return nil, 0, err
	}
	if old != nil && old.dirty && keeps {
		if err = old.lost; err == nil { // as in syncRest
			err = old.f.Sync()
		}
		if err != nil {
			return nil, 0, err
		}
	}
	spare := l.takeSpare(need)
	f, size, err := s.create(l.fs, spare, l.o.segment/smallPart, need, keeps)
	if spare != "" && errors.Is(err, os.ErrNotExist) {
		spare = ""
		f, size, err = s.create(l.fs, "", l.o.segment/smallPart, need, keeps)
	}
	if err != nil {
		if spare != "" {
			l.addSpares([]string{spare})
		}
		return nil, 0, err
	}
	seed := seedOf(0, s.nonce)
	t = &tail{seg: s, f: f, nonce: seed, seed: seed, ours: true, syncedOff: firstRecord, syncedSeed: seed}
	if keeps {
		t.fence.Store(firstRecord)
	}
	return t, size, nil
}

// attach makes t the tail: old again, or a new one behind it. What is in a new segment does
// not count any more in those that had it before. The position's lock is held.
func (l *log) attach(t, old *tail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = t
	if t == old {
		return
	}
	if old != nil {
		old.dirty = false
		old.seg.end = t.seg.base
		old.f.Close()
	}
	t.seg.limit = firstRecord
	for n := len(l.segs); n > 0 && l.segs[n-1].base >= t.seg.base; n-- {
		l.spent = append(l.spent, l.segs[n-1])
		l.segs = l.segs[:n-1]
	}
	l.segs = append(l.segs, t.seg)
}

// abandon ends the tail. It is never written again: after a failed sync nothing says what of
// it is on the disk, and the kernel does not try again. The messages from safe on are
// elsewhere; some of those that the kernel may have are among them if taken is true. The
// position's lock is held.
func (l *log) abandon(safe uint64, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tail
	if t == nil {
		return
	}
	t.seg.end = safe
	t.seg.taken = t.seg.taken || taken
	t.f.Close()
	l.tail = nil
	// One with messages that are unsaved again stays: the kernel may still have them when
	// this process has been killed.
	if n := len(l.segs); t.seg.limit == firstRecord && n > 0 && l.segs[n-1] == t.seg {
		l.segs = slices.Delete(l.segs, n-1, n)
		l.spent = append(l.spent, t.seg)
	}
}
