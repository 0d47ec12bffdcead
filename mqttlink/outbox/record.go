package outbox

import (
	"encoding/binary"
	"hash/crc32"
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
	tagLife  = 1
	tagStamp = 2
	tagField = 3
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
	if r.Life > 0 {
		b = append(b, tagLife, 8)
		b = le.AppendUint64(b, uint64(r.Life))
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
		case tag == tagLife && len(v) == 8:
			r.Life = time.Duration(le.Uint64(v))
		case tag == tagStamp && len(v) == 24:
			r.Stamp = Stamp{Boot: [16]byte(v[:16]), Mono: time.Duration(le.Uint64(v[16:]))}
		case tag == tagField && len(v) == 9:
			// A range outside the payload is none: whoever fills it in may trust it.
			if f := (TimeField{le.Uint32(v), le.Uint32(v[4:]), v[8]}); uint64(f.Offset)+uint64(f.Length) <= uint64(len(r.Payload)) {
				r.Field = f
			}
		} // other tags are of later versions
		extra = extra[2+extra[1]:]
	}
	return r
}
