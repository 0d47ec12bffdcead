package outbox

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"
)

// See docs/outbox-format.md for the layout; numbers are little-endian.
const (
	headSize   = 24
	alignment  = 8
	maxTopic   = 65535     // MQTT 3.1.1 section 1.5.3
	maxPayload = 256 << 20 // above section 2.2.3's limit for a whole packet

	flagQoS    = 0x03
	flagRetain = 0x04
	flagAlarm  = 0x08
	flagSynced = 0x10 // all before it in this segment had reached the disk when it was written
	flagKind   = 0x60
	flagNone   = 0x80 // must be zero
)

// The kinds of records.
const (
	kindData  = 0x00
	kindTopic = 0x20 // gives a topic its number in this segment
	kindMark  = 0x40 // begins what one process wrote: a new seed for the checksums
	kindPad   = 0x60
)

// Tags of the optional fields of a message.
const (
	tagExpiry = 1
	tagStamp  = 2
	tagField  = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var le = binary.LittleEndian

// seedOf returns the checksum that those of records continue from.
func seedOf(before uint32, random uint64) uint32 {
	var b [8]byte
	le.PutUint64(b[:], random)
	return crc32.Update(before, castagnoli, b[:])
}

// head is the fixed part of a record.
type head struct {
	length uint32 // of the body, with the optional fields and without padding
	low    uint32 // half of the sequence number; for other kinds, of that of the message that follows
	topic  uint16
	flags  byte
	extra  byte  // length of the optional fields at the beginning of the body
	time   int64 // milliseconds since 1970; 0: not known
}

func (h *head) kind() byte { return h.flags & flagKind }

func (h *head) class() Class {
	if h.flags&flagAlarm != 0 {
		return Alarm
	}
	return Reading
}

// size is the length of the whole record.
func (h *head) size() int64 { return align(headSize + int64(h.length)) }

// seq is the whole sequence number, of which one not far below is known.
func (h *head) seq(from uint64) uint64 { return from + uint64(h.low-uint32(from)) }

// payload is the length of the message's payload.
func (h *head) payload() int64 { return int64(h.length) - int64(h.extra) }

func align(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// readHead reads a head and reports whether it can be one.
func readHead(b []byte) (h head, ok bool) {
	h = head{length: le.Uint32(b[4:]), low: le.Uint32(b[8:]), topic: le.Uint16(b[12:]), flags: b[14], extra: b[15], time: int64(le.Uint64(b[16:]))}
	return h, h.flags&flagNone == 0 && uint32(h.extra) <= h.length && h.length <= maxPayload+255
}

// sumOK reports whether the checksum of the record at the beginning of b, which
// is there as a whole, is right.
func sumOK(b []byte, h *head, seed uint32) bool {
	return crc32.Update(seed, castagnoli, b[4:headSize+h.length]) == le.Uint32(b)
}

// begin appends room for a head.
func begin(b []byte) []byte {
	var zero [headSize]byte
	return append(b, zero[:]...)
}

// finish fills in the head of the record that began at start, and pads.
func finish(b []byte, start int, h head, seed uint32) []byte {
	h.length = uint32(len(b) - start - headSize)
	p := b[start:]
	le.PutUint32(p[4:], h.length)
	le.PutUint32(p[8:], h.low)
	le.PutUint16(p[12:], h.topic)
	p[14], p[15] = h.flags, h.extra
	le.PutUint64(p[16:], uint64(h.time))
	le.PutUint32(p, crc32.Update(seed, castagnoli, p[4:]))
	for len(b)%alignment != 0 { // buffers begin at multiples of alignment
		b = append(b, 0)
	}
	return b
}

// setSynced sets that flag in the record at the beginning of b.
func setSynced(b []byte, seed uint32) {
	h, _ := readHead(b)
	b[14] |= flagSynced
	le.PutUint32(b, crc32.Update(seed, castagnoli, b[4:headSize+h.length]))
}

// appendMessage appends r as a record.
func appendMessage(b []byte, r *Record, seq uint64, topic uint16, seed uint32) []byte {
	h := head{low: uint32(seq), topic: topic, flags: kindData | r.QoS&flagQoS}
	if r.Retain {
		h.flags |= flagRetain
	}
	if r.Class == Alarm {
		h.flags |= flagAlarm
	}
	if !r.Time.IsZero() {
		h.time = r.Time.UnixMilli()
	}
	start := len(b)
	b = begin(b)
	if r.Expiry > 0 {
		b = append(b, tagExpiry, 8)
		b = le.AppendUint64(b, uint64(r.Expiry))
	}
	if r.Stamp.Boot != [16]byte{} {
		b = append(b, tagStamp, 24)
		b = append(b, r.Stamp.Boot[:]...)
		b = le.AppendUint64(b, uint64(r.Stamp.Mono))
	}
	if r.Field.Length > 0 {
		b = append(b, tagField, 9)
		b = le.AppendUint32(b, r.Field.Offset)
		b = le.AppendUint32(b, r.Field.Length)
		b = append(b, r.Field.Format)
	}
	h.extra = byte(len(b) - start - headSize)
	b = append(b, r.Payload...)
	return finish(b, start, h, seed)
}

// undated reports whether nothing says when the message was made.
func (r *Record) undated() bool { return r.Time.IsZero() && r.Stamp.Boot == [16]byte{} }

// size is what a record counts for against Limits.Bytes.
func (r *Record) size() int64 { return int64(len(r.Topic) + len(r.Payload)) }

// message turns a record back. The payload is part of body.
func (h *head) message(seq uint64, topic string, body []byte) Record {
	r := Record{Seq: seq, Topic: topic, QoS: h.flags & flagQoS, Retain: h.flags&flagRetain != 0, Class: h.class()}
	if h.time != 0 {
		r.Time = time.UnixMilli(h.time)
	}
	extra := body[:h.extra]
	r.Payload = body[h.extra:len(body):len(body)]
	for len(extra) >= 2 && len(extra) >= 2+int(extra[1]) {
		tag, v := extra[0], extra[2:2+extra[1]]
		switch {
		case tag == tagExpiry && len(v) == 8:
			r.Expiry = time.Duration(le.Uint64(v))
		case tag == tagStamp && len(v) == 24:
			r.Stamp = Stamp{Boot: [16]byte(v[:16]), Mono: time.Duration(le.Uint64(v[16:]))}
		case tag == tagField && len(v) == 9:
			// A range outside the payload is none: code that fills it in may trust it.
			if f := (TimeField{le.Uint32(v), le.Uint32(v[4:]), v[8]}); uint64(f.Offset)+uint64(f.Length) <= uint64(len(r.Payload)) {
				r.Field = f
			}
		} // other tags are of later versions
		extra = extra[2+extra[1]:]
	}
	return r
}

// tally counts messages and their bytes, by class.
type tally struct {
	messages, bytes [classes]uint64
}

func (t *tally) add(c Class, size int64) {
	t.messages[c]++
	t.bytes[c] += uint64(size)
}

func (t *tally) remove(c Class, size int64) {
	t.messages[c]--
	t.bytes[c] -= uint64(size)
}

func (t *tally) plus(o *tally) {
	for c := range classes {
		t.messages[c] += o.messages[c]
		t.bytes[c] += o.bytes[c]
	}
}

func (t *tally) minus(o *tally) {
	for c := range classes {
		t.messages[c] -= o.messages[c]
		t.bytes[c] -= o.bytes[c]
	}
}

// classSet has bit 1<<c for each class c in it.
type classSet uint8

const allClasses classSet = 1<<classes - 1

func (s classSet) has(c Class) bool { return s&(1<<c) != 0 }

// Groups larger than this are padded to the end of a page, so that the next
// one does not write that page again.
const padFrom = 4 * page

// maxGroupBuffer is how much memory a group keeps between its uses.
const maxGroupBuffer = 1 << 20

var zeros [page]byte

// group is records that are written together.
type group struct {
	buf  []byte
	off  int64     // its place in the segment
	next uint64    // sequence number behind its last message
	done sync.Cond // it has been written, or its leader is wanted
}

// end makes the group empty, and wakes those that wait for it.
func (g *group) end() {
	if g.buf = g.buf[:0]; cap(g.buf) > maxGroupBuffer {
		g.buf = nil
	}
	g.done.Broadcast()
}

// encoder turns messages into records of the last segment.
type encoder struct {
	base  uint64 // of the segment
	nonce uint32 // the seed of marks
	seed  uint32 // of all else
	size  int64  // of the file
	end   int64  // where the next record goes; behind what is still in memory
	next  uint64 // sequence number of that: a segment has no gaps

	marked bool // this process has begun its part
	epoch  uint64
	paged  bool // each group is synced: see startPage
	topics map[string]uint16
	names  []string // topics by number
}

// newEncoder returns that of a segment which has nothing in it yet.
func newEncoder(s *segment, size int64, paged bool) *encoder {
	seed := seedOf(0, s.nonce)
	return &encoder{base: s.base, nonce: seed, seed: seed, size: size, end: firstRecord, next: s.base,
		marked: true, paged: paged, topics: map[string]uint16{}} // it is ours from its beginning
}

// need is an upper bound of the room that r takes in an empty segment.
func need(r *Record) int64 {
	return align(headSize+int64(len(r.Topic))) + align(headSize+255+int64(len(r.Payload))) + headSize + 8 + page/4
}

// fits reports whether there is room for r in this segment.
func (e *encoder) fits(r *Record) bool {
	return e.end+need(r) <= e.size && len(e.names) < 1<<16 // or no number is left for another topic
}

// encode puts r into g.
func (e *encoder) encode(g *group, r *Record, seq uint64) {
	if len(g.buf) == 0 {
		g.off = e.end
	}
	if e.paged && len(g.buf) == 0 {
		e.startPage(g, seq, headSize+int64(len(r.Payload)))
	}
	b := g.buf
	if !e.marked {
		start := len(b)
		b = le.AppendUint64(begin(b), e.epoch)
		b = finish(b, start, head{low: uint32(seq), flags: kindMark}, e.nonce)
		e.marked = true
	}
	n, ok := e.topics[r.Topic]
	if !ok {
		n = uint16(len(e.names))
		e.topics[r.Topic] = n
		e.names = append(e.names, r.Topic)
		start := len(b)
		b = append(begin(b), r.Topic...)
		b = finish(b, start, head{low: uint32(seq), topic: n, flags: kindTopic}, e.seed)
	}
	g.buf = appendMessage(b, r, seq, n, e.seed)
	e.added(g, seq)
}

// encodeDropped puts into g that a message, which had its number already, was dropped
// before it was written. If counted is true it was counted before, and stays so.
func (e *encoder) encodeDropped(g *group, seq uint64, c Class, size int64, counted bool) {
	if len(g.buf) == 0 {
		g.off = e.end
	}
	start := len(g.buf)
	b := begin(g.buf)
	if counted {
		b = le.AppendUint64(b, uint64(c))
		b = le.AppendUint64(b, uint64(size))
	}
	g.buf = finish(b, start, head{low: uint32(seq), flags: kindMark}, e.nonce)
	e.added(g, seq)
}

func (e *encoder) added(g *group, seq uint64) {
	g.next = seq + 1
	e.end = g.off + int64(len(g.buf))
	e.next = seq + 1
}

// pad fills the last page of what is written, so that the next begins one. The
// head of the padding needs room too: if there is too little, nothing is done.
func (e *encoder) pad(g *group, next uint64) {
	room := (page - e.end%page) % page
	if room < headSize || e.end+room > e.size {
		return
	}
	start := len(g.buf)
	b := begin(g.buf)
	b = append(b, zeros[:room-headSize]...)
	g.buf = finish(b, start, head{low: uint32(next), flags: kindPad}, e.seed)
	e.end += room
}

// startPage begins a new page for a record of about n bytes that would lie on two:
// what is synced by itself then costs one page and not two.
func (e *encoder) startPage(g *group, next uint64, n int64) {
	if e.marked && n <= page/4 && e.end%page+n > page {
		e.pad(g, next)
	}
}

// decode returns the messages in a part of the segment.
func (e *encoder) decode(b []byte, seed uint32, check bool) (rs []Record, ok bool) {
	for len(b) >= headSize {
		h, ok := readHead(b)
		if !ok || h.size() > int64(len(b)) {
			return rs, false
		}
		mark := h.kind() == kindMark
		if check && (!mark && !sumOK(b, &h, seed) || mark && !sumOK(b, &h, e.nonce)) {
			return rs, false
		}
		if mark && h.length == 8 {
			seed = seedOf(e.nonce, le.Uint64(b[headSize:]))
		}
		if h.kind() == kindData && int(h.topic) < len(e.names) {
			rs = append(rs, h.message(h.seq(e.base), e.names[h.topic], b[headSize:headSize+h.length]))
		}
		b = b[h.size():]
	}
	return rs, true
}
