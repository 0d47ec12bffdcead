package outbox

import (
	"cmp"
	"errors"
	"io"
	"os"
)

// hole is a range of messages that cannot be read.
type hole struct {
	from, to uint64 // to is the last of them
	seg      *segment
}

// entry is a message where it stands in a segment.
type entry struct {
	head
	seq   uint64
	topic string
	body  []byte // valid until the cursor moves, unless the cursor is fresh
}

func (e *entry) bytes() int64 { return int64(len(e.topic)) + e.payload() }

// cursor reads the messages of a segment in order. It trusts nothing that its
// checksums do not cover.
type cursor struct {
	fs    files
	block int  // bytes read at a time
	fresh bool // each block is new memory, so that payloads stay

	seg       *segment // of which it reads what never changes only: the box may change the rest
	head      segmentHead
	f         file
	unlearned bool   // the owner has not fetched head yet
	seq       uint64 // least sequence number that the next message can have
	off       int64  // of the next record
	seed      uint32
	nonce     uint32 // the seed of marks
	names     []name

	// The message returned last, to be returned again if asked for.
	lastSeq    uint64
	lastOff    int64
	lastBefore tally // all that was appended before it

	tally tally // all that was appended before seq

	buf []byte // the file from at on
	at  int64

	holes []hole // found, and not yet fetched by the owner

	failedAt int64 // where reading failed the last time
	failures int   // how often in a row
}

// maxGap is the largest number of messages in a row that can be damaged: more do
// not fit into a segment.
const maxGap = maxSegment / headSize

// name is the topic of a number, if its record could be read.
type name struct {
	s  string
	ok bool
}

// close lets go of the file.
func (c *cursor) close() {
	if c.f != nil {
		c.f.Close()
	}
	c.f, c.seg, c.unlearned, c.buf = nil, nil, false, c.buf[:0]
	c.lastSeq = 0
}

// load opens a segment at its beginning.
func (c *cursor) load(s *segment) error {
	c.close()
	f, err := c.fs.open(s.name(), os.O_RDONLY)
	if err != nil {
		return err
	}
	h, err := s.readHead(f)
	if err != nil {
		f.Close()
		return err
	}
	c.f, c.head, c.unlearned = f, h, true
	c.rewind(s)
	return nil
}

// rewind goes to the beginning of the segment that is open.
func (c *cursor) rewind(s *segment) {
	c.seg, c.seq, c.off = s, s.base, firstRecord
	c.nonce = seedOf(0, c.head.nonce)
	c.seed = c.nonce
	c.names = c.names[:0]
	c.lastSeq = 0
	c.tally = c.head.before
}

// seek goes to where the first message from seq on in s is found by next. Going
// on is for free, going back reads the segment again.
func (c *cursor) seek(s *segment, seq uint64) error {
	switch {
	case c.seg != s:
		return c.load(s)
	case c.lastSeq != 0 && seq == c.lastSeq:
		c.seq, c.off, c.tally = c.lastSeq, c.lastOff, c.lastBefore
	case seq < c.seq && (c.lastSeq == 0 || seq <= c.lastSeq):
		c.rewind(s)
	}
	return nil
}

// next returns the first message with from <= seq < end. Only an error of reading
// ends it otherwise: what is damaged becomes a hole. limit is where the segment's
// records end.
func (c *cursor) next(from, end uint64, limit int64) (e entry, ok bool, err error) {
	for c.seq < end {
		e, kind, readErr := c.record(limit)
		if kind == bad {
			if readErr != nil && !c.hopeless() {
				return e, false, readErr // another attempt may succeed
			}
			found, err := c.resync(limit)
			if found {
				continue
			}
			if err = cmp.Or(readErr, err); err != nil {
				return e, false, err
			}
			c.lose(c.seq, end-1)
			c.seq = end
			return e, false, nil
		}
		if kind == data && e.seq >= end { // replaced by the next segment
			c.lose(c.seq, end-1)
			c.seq = end
			return e, false, nil
		}
		if kind == data {
			at := c.off
			c.pass(&e)
			if !c.known(&e) {
				c.lose(e.seq, e.seq)
				continue
			}
			before := c.tally
			c.tally.add(e.class(), e.bytes())
			if e.seq >= from {
				c.lastSeq, c.lastOff, c.lastBefore = e.seq, at, before
				return e, true, nil
			}
			continue
		}
		c.control(&e)
	}
	return e, false, nil
}

// hopeless counts a failure to read at the cursor, and reports whether there were
// enough to continue behind it.
func (c *cursor) hopeless() bool {
	if c.failedAt != c.off {
		c.failedAt, c.failures = c.off, 0
	}
	c.failures++
	return c.failures >= badSector
}

// kindOf is what stands at a place.
type kindOf int

const (
	bad kindOf = iota
	data
	control
)

// record looks at the record at the cursor without moving.
func (c *cursor) record(limit int64) (e entry, kind kindOf, err error) {
	b, err := c.window(c.off, headSize, limit)
	if b == nil {
		return e, bad, err
	}
	if !c.plausible(b, &e, limit) {
		return e, bad, nil
	}
	n := headSize + int64(e.length)
	if b, err = c.window(c.off, n, limit); b == nil {
		return e, bad, err
	}
	seed := c.seed
	if e.kind() == kindMark {
		seed = c.nonce
	}
	if !sumOK(b, &e.head, seed) {
		return e, bad, nil
	}
	e.body = b[headSize:n:n]
	if e.kind() == kindData {
		return e, data, nil
	}
	return e, control, nil
}

// plausible reports whether a record may begin with b, before the work of summing.
func (c *cursor) plausible(b []byte, e *entry, limit int64) (ok bool) {
	e.head, ok = readHead(b)
	e.seq = e.head.seq(c.seq)
	return ok && e.seq-c.seq < maxGap && e.size() <= limit-c.off
}

// pass moves behind a message.
func (c *cursor) pass(e *entry) {
	if e.seq > c.seq {
		c.lose(c.seq, e.seq-1)
	}
	c.seq = e.seq + 1
	c.off += e.size()
}

// known finds the topic of a message.
func (c *cursor) known(e *entry) bool {
	if int(e.head.topic) >= len(c.names) || !c.names[e.head.topic].ok {
		return false
	}
	e.topic = c.names[e.head.topic].s
	return true
}

// control applies a record that is not a message.
func (c *cursor) control(e *entry) {
	switch e.kind() {
	case kindTopic:
		// A writer gives the numbers in turn; those in between were in a hole.
		for len(c.names) <= int(e.head.topic) {
			c.names = append(c.names, name{})
		}
		if n := &c.names[e.head.topic]; !n.ok || n.s != string(e.body) {
			*n = name{string(e.body), true}
		}
	case kindMark:
		switch len(e.body) {
		case 0, countedLength: // the message of that number was dropped before it was written
			if e.seq > c.seq {
				c.lose(c.seq, e.seq-1)
			}
			c.seq = e.seq + 1
			if class, size, ok := e.counted(); ok {
				c.tally.add(class, size)
			}
		case 8:
			c.seed = seedOf(c.nonce, le.Uint64(e.body))
			c.lastSeq = 0 // its checksum had another seed
		}
	}
	c.off += e.size()
}

// countedLength is the length of the body of a mark for a message that was dropped
// and counts in the tallies.
const countedLength = 16

// counted returns what such a mark says.
func (e *entry) counted() (c Class, size int64, ok bool) {
	if e.kind() != kindMark || len(e.body) != countedLength || le.Uint64(e.body) >= uint64(classes) {
		return 0, 0, false
	}
	return Class(le.Uint64(e.body)), int64(le.Uint64(e.body[8:])), true
}

// lose notes that messages cannot be read.
func (c *cursor) lose(from, to uint64) {
	if n := len(c.holes); n > 0 && c.holes[n-1].seg == c.seg && c.holes[n-1].to+1 == from {
		c.holes[n-1].to = to
		return
	}
	c.holes = append(c.holes, hole{from, to, c.seg})
}

// resync looks for the next record behind a damaged one. If there is none the
// cursor stays where it is. It also does, and that is found, if the record there is
// whole by now: an owner beside has written it since it was read. The error says that
// something behind could not be read.
func (c *cursor) resync(limit int64) (found bool, err error) {
	start := c.off
	for c.off += alignment; c.off+headSize <= limit; {
		b, err2 := c.window(c.off, headSize, limit)
		if b == nil {
			err = err2
			c.off = c.off/page*page + page // a bad sector: continue behind its page
			continue
		}
		for ; len(b) >= headSize; b = b[alignment:] {
			// Zeros and what an earlier life left are most of what is looked through.
			var e entry
			if le.Uint64(b) != 0 && c.plausible(b, &e, limit) {
				at := c.off
				if _, kind, err2 := c.record(limit); kind != bad {
					if !c.wholeNow(start, limit) {
						c.off = at
					}
					return true, nil
				} else if err2 != nil {
					err = err2
				}
				c.off = at + alignment
				b = nil // record may have read on into the same memory
				break
			}
			c.off += alignment
		}
	}
	return c.wholeNow(start, limit), err
}

// wholeNow goes to a place and reads it once more.
func (c *cursor) wholeNow(off, limit int64) bool {
	c.off, c.buf = off, c.buf[:0]
	_, kind, _ := c.record(limit)
	return kind != bad
}

// window returns what is in the file from off on, at least n bytes; nil if there
// is not as much before limit, or on an error.
func (c *cursor) window(off, n, limit int64) ([]byte, error) {
	if off+n > limit {
		return nil, nil
	}
	if off >= c.at && off+n <= c.at+int64(len(c.buf)) {
		return c.buf[off-c.at:], nil
	}
	want := min(max(n, int64(c.block)), limit-off)
	if c.fresh || int64(cap(c.buf)) < want {
		c.buf = make([]byte, want)
	}
	c.buf, c.at = c.buf[:want], off
	got, err := c.f.ReadAt(c.buf, off)
	c.buf = c.buf[:got]
	if int64(got) >= n {
		return c.buf, nil
	}
	c.buf = c.buf[:0]
	if errors.Is(err, io.EOF) {
		err = nil // the file is shorter than it was: a hole
	}
	return nil, err
}
