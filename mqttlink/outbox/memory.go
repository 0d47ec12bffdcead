package outbox

import (
	"slices"
	"sync"
)

// Memory is a Box that lives as long as the process.
type Memory struct {
	limits Limits

	mu      sync.Mutex
	records []Record // records[head:] are in the box
	head    int
	next    uint64 // sequence number of the next Append
	bytes   int64
	dropped uint64
	closed  bool
}

// NewMemory returns an empty box in memory.
func NewMemory(limits Limits) *Memory {
	return &Memory{limits: limits, next: 1}
}

// Append implements Box.
func (m *Memory) Append(r Record) (uint64, error) {
	r.Payload = slices.Clone(r.Payload)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if !m.makeRoom(r.size()) {
		m.dropped++
		return 0, ErrFull
	}
	r.Seq = m.next
	m.next++
	m.bytes += r.size()
	m.records = append(m.records, r)
	return r.Seq, nil
}

// makeRoom reports whether a record of n bytes fits, after dropping from the
// front if that is the policy. A record larger than the whole box never fits,
// and does not empty the box for nothing.
func (m *Memory) makeRoom(n int64) bool {
	tooMany := func() bool { return m.limits.Messages > 0 && m.len() >= m.limits.Messages }
	tooLarge := func() bool { return m.limits.Bytes > 0 && m.bytes+n > m.limits.Bytes }
	if !tooMany() && !tooLarge() {
		return true
	}
	if m.limits.Drop != DropOldest || m.limits.Bytes > 0 && n > m.limits.Bytes {
		return false
	}
	for m.len() > 0 && (tooMany() || tooLarge()) {
		m.pop()
		m.dropped++
	}
	return true
}

// Next implements Box.
func (m *Memory) Next(from uint64) (Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Record{}, false, ErrClosed
	}
	if m.len() == 0 || from >= m.next {
		return Record{}, false, nil
	}
	// Sequence numbers in the box have no gaps, so the place is arithmetic.
	i := m.head
	if first := m.records[m.head].Seq; from > first {
		i += int(from - first)
	}
	return m.records[i], true, nil
}

// Ack implements Box.
func (m *Memory) Ack(seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for m.len() > 0 && m.records[m.head].Seq <= seq {
		m.pop()
	}
	return nil
}

// pop removes the first record and, now and then, the room it took.
func (m *Memory) pop() {
	m.bytes -= m.records[m.head].size()
	m.records[m.head] = Record{}
	m.head++
	switch {
	case m.head == len(m.records):
		m.head = 0
		if cap(m.records) > 1024 {
			m.records = nil // give back what a long outage took
		} else {
			m.records = m.records[:0]
		}
	case m.head >= 64 && m.head > len(m.records)/2:
		n := copy(m.records, m.records[m.head:])
		clear(m.records[n:])
		m.records, m.head = m.records[:n], 0
	}
}

func (m *Memory) len() int { return len(m.records) - m.head }

// Len implements Box.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.len()
}

// Stats implements Box.
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Messages: m.len(), Bytes: m.bytes, Dropped: m.dropped}
}

// Close implements Box.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.records, m.head, m.bytes = true, nil, 0, 0
	return nil
}
