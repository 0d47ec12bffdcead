package outbox

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"
)

// Memory is a Box that ends with the process.
type Memory struct {
	limits Limits

	mu      sync.Mutex
	entries []entryInMemory // entries[head:] are in the box
	head    int
	dead    int    // of those
	next    uint64 // sequence number of the next Append
	count   [classes]int
	bytes   [classes]int64
	dropped uint64
	handed  uint64
	closed  bool
}

var _ Box = (*Memory)(nil)

// entryInMemory is a message, or the place of one that was dropped.
type entryInMemory struct {
	Record
	since time.Time // by the clock that is never set
	dead  bool
}

// NewMemory returns an empty box in memory.
func NewMemory(limits Limits) *Memory {
	if limits.Alarms != nil {
		a := *limits.Alarms
		limits.Alarms = &a
	}
	return &Memory{limits: limits, next: 1}
}

// Append implements Box.
func (m *Memory) Append(r Record) (uint64, error) {
	if len(r.Topic) > maxTopic || len(r.Payload) > maxPayload {
		return 0, ErrTooLarge
	}
	r.Payload = slices.Clone(r.Payload)
	now := time.Now()
	if r.undated() {
		r.Time = now.Round(0)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	m.age(now)
	if !m.makeRoom(&r) {
		m.dropped++
		return 0, ErrFull
	}
	r.Seq = m.next
	m.next++
	m.count[r.Class]++
	m.bytes[r.Class] += r.size()
	m.entries = append(m.entries, entryInMemory{Record: r, since: now})
	return r.Seq, nil
}

// Safety implements Box.
func (m *Memory) Safety() Safety { return InMemory }

// AppendAll implements Box.
func (m *Memory) AppendAll(rs []Record) (a Appended, err error) {
	for _, r := range rs {
		seq, err := m.Append(r)
		if err != nil {
			return a, err
		}
		if a.N++; a.N == 1 {
			a.First = seq
		}
		a.Last = seq
	}
	return a, nil
}

// Stage implements Box. The message can be read at once.
func (m *Memory) Stage(r Record) (uint64, error) { return m.Append(r) }

// Settle implements Box.
func (m *Memory) Settle(uint64) error { return nil }

// Safe implements Box.
func (m *Memory) Safe(context.Context, uint64) error { return nil }

// Sync implements Box.
func (m *Memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return nil
}

// live counts what is in the box.
func (m *Memory) live(set classSet) (n int, bytes int64) {
	for c := range classes {
		if set.has(c) {
			n += m.count[c]
			bytes += m.bytes[c]
		}
	}
	return n, bytes
}

// makeRoom reports whether a record fits, after dropping from the front if that
// is the policy. A record larger than the whole box never fits, and does not
// empty the box for nothing.
func (m *Memory) makeRoom(r *Record) bool {
	l, set := m.limits.of(r.Class)
	for {
		n, bytes := m.live(set)
		if (l.Messages <= 0 || n < l.Messages) && (l.Bytes <= 0 || bytes+r.size() <= l.Bytes) {
			return true
		}
		if l.Drop != DropOldest || l.Bytes > 0 && r.size() > l.Bytes || !m.dropFirst(set, time.Time{}) {
			return false
		}
	}
}

// age drops what has been here for too long.
func (m *Memory) age(now time.Time) {
	m.limits.each(func(l *Limits, set classSet) {
		for l.Age > 0 && m.dropFirst(set, now.Add(-l.Age)) {
		}
	})
}

// dropFirst drops the oldest record of the set; if before is not zero, only if it
// has been here since before that.
func (m *Memory) dropFirst(set classSet, before time.Time) bool {
	for i := m.head; i < len(m.entries); i++ {
		e := &m.entries[i]
		if e.dead || !set.has(e.Class) {
			continue
		}
		if !before.IsZero() && !e.since.Before(before) {
			return false
		}
		m.kill(e)
		m.dropped++
		m.compact()
		return true
	}
	return false
}

// index returns the place of the first entry from seq on.
func (m *Memory) index(seq uint64) int {
	return m.head + sort.Search(len(m.entries)-m.head, func(i int) bool { return m.entries[m.head+i].Seq >= seq })
}

// kill takes a record out, and leaves its place.
func (m *Memory) kill(e *entryInMemory) {
	m.dead++
	m.count[e.Class]--
	m.bytes[e.Class] -= e.size()
	*e = entryInMemory{Record: Record{Seq: e.Seq}, dead: true}
}

// Next implements Box.
func (m *Memory) Next(from uint64) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Record{}, false, ErrClosed
	}
	m.age(time.Now())
	if m.head == len(m.entries) || from >= m.next {
		return Record{}, false, nil
	}
	for i := m.index(from); i < len(m.entries); i++ {
		if !m.entries[i].dead {
			return m.entries[i].Record, true, nil
		}
	}
	return Record{}, false, nil
}

// Ack implements Box.
func (m *Memory) Ack(seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for i := m.head; i < len(m.entries) && m.entries[i].Seq <= seq; i++ {
		if e := &m.entries[i]; !e.dead {
			m.kill(e)
		}
	}
	m.compact()
	return nil
}

// AckOne implements Box.
func (m *Memory) AckOne(seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if i := m.index(seq); i < len(m.entries) && m.entries[i].Seq == seq && !m.entries[i].dead {
		m.kill(&m.entries[i])
		m.compact()
	}
	return nil
}

// AckLater implements Box.
func (m *Memory) AckLater(seq uint64) error { return m.Ack(seq) }

// AckOneLater implements Box.
func (m *Memory) AckOneLater(seq uint64) error { return m.AckOne(seq) }

// Save implements Box.
func (m *Memory) Save() {}

// Saved implements Box: with the process all messages end.
func (m *Memory) Saved() bool { return true }

// SetHanded implements Box.
func (m *Memory) SetHanded(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handed = max(m.handed, min(seq, m.next-1))
}

// Handed implements Box.
func (m *Memory) Handed() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handed
}

// NextSeq implements Box.
func (m *Memory) NextSeq() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next
}

// compact removes dead records from the front and, now and then, the room that
// they and others took.
func (m *Memory) compact() {
	for m.head < len(m.entries) && m.entries[m.head].dead {
		m.head++
		m.dead--
	}
	switch {
	case m.dead >= 64 && m.dead > (len(m.entries)-m.head)/2:
		m.entries = slices.DeleteFunc(m.entries, func(e entryInMemory) bool { return e.dead })
		m.head, m.dead = 0, 0
	case m.head == len(m.entries):
		m.head = 0
		if cap(m.entries) > 1024 {
			m.entries = nil // give back what a long outage took
		} else {
			m.entries = m.entries[:0]
		}
	case m.head >= 64 && m.head > len(m.entries)/2:
		n := copy(m.entries, m.entries[m.head:])
		clear(m.entries[n:])
		m.entries, m.head = m.entries[:n], 0
	}
}

// Len implements Box.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _ := m.live(allClasses)
	return n
}

// Stats implements Box.
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Dropped: m.dropped, Alarms: m.count[Alarm]}
	s.Messages, s.Bytes = m.live(allClasses)
	for i := m.head; i < len(m.entries); i++ {
		if !m.entries[i].dead {
			s.Oldest = m.entries[i].Time
			break
		}
	}
	return s
}

// Close implements Box.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.entries, m.head, m.dead = true, nil, 0, 0
	m.count, m.bytes = [classes]int{}, [classes]int64{}
	return nil
}
