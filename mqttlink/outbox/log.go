package outbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"sync"
)

// log is the messages on the disk: the segments, the last of which, the tail, grows. It
// knows nothing of what messages mean to others: where a message is to be looked for, how to
// append, sync and trim.
type log struct {
	o    *DiskOptions
	dir  string // for the log of the program
	fs   files
	wake func() // the keeper

	mu       sync.Mutex
	segs     []*segment // oldest first
	tail     *tail      // of the last of segs; nil: the next append begins a new one
	syncing  bool       // the tail is being synced, not by the one that writes
	syncDone sync.Cond
	serial   uint64     // of the latest file
	spent    []*segment // without live messages, for the keeper to recycle
	undone   []*segment // at the end, and without any messages: to be removed before another is begun
	hollow   []*segment // without live messages, behind others that have some: to be cut down
	spares   []string   // prepared files

	torn  uint64 // messages that were cut off at the end
	aside int    // damaged files
}

// place is where a message is to be looked for.
type place struct {
	seg       *segment // nil: there is nothing before end
	from, end uint64
	limit     int64
	next      *segment // the one after
}

// place finds the segment of the first message from seq on; seq < safe.
func (l *log) place(seq, safe uint64) place {
	p, unknown := l.placeNow(seq, safe)
	if unknown != nil && l.learn(unknown) {
		p, _ = l.placeNow(seq, safe)
	}
	return p
}

// placeNow is place without reading. unknown is a segment whose head would say more.
func (l *log) placeNow(seq, safe uint64) (p place, unknown *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].base > seq }) - 1
	switch {
	case i < 0 && len(l.segs) == 0:
		return place{end: safe}, nil
	case i < 0:
		return place{end: min(l.segs[0].base, safe)}, nil
	case l.segs[i].end != 0 && seq >= l.segs[i].end: // behind it: between segments
		if i++; i == len(l.segs) {
			return place{end: safe}, nil
		}
		return place{end: l.segs[i].base}, nil
	}
	s := l.segs[i]
	if s.hollow && s.end != 0 {
		return place{end: min(s.end, safe)}, nil
	}
	p = place{seg: s, from: seq, end: safe, limit: s.limit}
	if s.end != 0 {
		p.end = min(s.end, safe)
	}
	if i+1 < len(l.segs) {
		p.next = l.segs[i+1]
		if p.next.nonce == 0 {
			return p, p.next
		}
		if p.next.follows < p.end {
			if p.end = p.next.follows; seq >= p.end {
				return place{end: min(p.next.base, safe)}, nil
			}
		}
	}
	return p, nil
}

// learn reads the head of a segment.
func (l *log) learn(s *segment) bool {
	f, err := l.fs.open(s.name(), os.O_RDONLY)
	if err != nil {
		return false // reading it reports that
	}
	defer f.Close()
	h, err := s.readHead(f)
	if err == nil {
		l.learned(s, h)
	}
	return err == nil
}

// learned keeps what the head of a segment says.
func (l *log) learned(s *segment, h segmentHead) {
	l.mu.Lock()
	s.learn(h)
	l.mu.Unlock()
}

// sameFile reports whether a segment's file is still the one that was opened.
func (l *log) sameFile(s *segment) bool {
	f, err := l.fs.open(s.name(), os.O_RDONLY)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	h, err := s.readHead(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	return err != nil || s.nonce == 0 || h.nonce == s.nonce && h.size == s.size
}

// last returns the last segment, or nil.
func (l *log) last() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.segs); n > 0 {
		return l.segs[n-1]
	}
	return nil
}

// trim gives the segments without live messages to the keeper: all up to acked are gone. It
// reports whether there are any. The position's lock is held.
func (l *log) trim(acked uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.segs) && l.segs[n].end != 0 && l.segs[n].end <= acked+1 {
		n++
	}
	l.spent = append(l.spent, l.segs[:n]...)
	l.segs = l.segs[n:]
	return n > 0
}

// trimMiddle gives segments to the keeper that have no live messages although others before
// them have. The position's lock, which guards a, is held.
func (l *log) trimMiddle(a *ackState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.segs {
		if i > 0 && i+1 < len(l.segs) && !s.hollow && dead(a, s, l.segs[i+1]) {
			s.hollow = true
			l.hollow = append(l.hollow, s)
			l.wake()
		}
	}
}

// dead reports whether a segment has no live messages, as far as is known.
func dead(a *ackState, s, next *segment) bool {
	if s.end == 0 || s.nonce == 0 || next.nonce == 0 || next.base != s.end {
		return false
	}
	for c := range classes {
		from := max(a.floors[c], s.base)
		if from < s.end && next.before.messages[c] != s.before.messages[c] && !a.sacks.covers(from, s.end-1) {
			return false
		}
	}
	return true
}

// takeSpent takes what is to be recycled: not what is taken back into memory while the disk
// fails, and nothing hollow while partial is true. The position's lock is held.
func (l *log) takeSpent(failing, partial bool) (spent, hollow []*segment, spares int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spent {
		if !failing || !s.taken {
			spent = append(spent, s)
		}
	}
	l.spent = slices.DeleteFunc(l.spent, func(s *segment) bool { return !failing || !s.taken })
	if !partial {
		hollow, l.hollow = l.hollow, nil
	}
	return spent, hollow, len(l.spares)
}

// putBack keeps segments to be recycled later.
func (l *log) putBack(spent, hollow []*segment) {
	l.mu.Lock()
	l.spent, l.hollow = append(l.spent, spent...), append(l.hollow, hollow...)
	l.mu.Unlock()
}

// anySpent reports whether there is something to recycle.
func (l *log) anySpent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spent) > 0
}

// newSerial returns the number of a new file.
func (l *log) newSerial() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return l.serial
}

// takeSpare returns a prepared file with room for need, or "".
func (l *log) takeSpare(need int64) (name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.spares); n > 0 && firstRecord+need <= l.o.segment {
		name = l.spares[n-1]
		l.spares = l.spares[:n-1]
	}
	return name
}

func (l *log) addSpares(names []string) {
	l.mu.Lock()
	l.spares = append(l.spares, names...)
	l.mu.Unlock()
}

// wantsSpare reports whether a file is to be prepared, or is and has to be finished.
func (l *log) wantsSpare(making bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segs) > 0 && len(l.spares) == 0 && (l.tail != nil && l.tail.ours || making)
}

func spareName(serial uint64) string { return fmt.Sprintf("%08x%s", serial, spareSuffix) }

// isWhole reports whether a file has the length of prepared segments.
func (l *log) isWhole(name string) bool {
	f, err := l.fs.open(name, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := f.Size()
	return err == nil && n == l.o.segment
}

// keepDamaged renames a damaged file so that it is in the way of nothing.
func (l *log) keepDamaged(name string) {
	to := name + damagedSuffix
	for i := 2; i < 1000; i++ {
		f, err := l.fs.open(to, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err == nil {
			f.Close()
		}
		to = fmt.Sprintf("%s.%d%s", name, i, damagedSuffix)
	}
	if err := l.fs.rename(name, to); err != nil {
		return // it is found again when the box is opened
	}
	l.mu.Lock()
	l.aside++
	l.mu.Unlock()
	l.o.Log.Error("outbox: damaged file kept", "dir", l.dir, "file", to)
}

// undo removes the segments at the end that have nothing in them. Unless they are
// gone before another is begun, they hide the end of the one before them.
func (l *log) undo() error {
	for _, s := range l.undone {
		if err := l.fs.remove(s.name()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	l.undone = nil
	return nil
}
