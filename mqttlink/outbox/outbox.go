// Package outbox keeps the messages that a link has accepted and the broker has
// not yet acknowledged, in the order in which they were accepted.
//
// A Box knows nothing of networks. The link appends, reads on from a position,
// and acknowledges up to a sequence number when the broker's PUBACK has come;
// after a lost connection it simply reads again from the first record that is
// left. Sequence numbers are given by the box, start at 1, rise by one, and are
// never used twice.
//
// Memory is a box that lives as long as the process. Disk is one that outlives
// it: docs/outbox-format.md describes its files.
package outbox

import (
	"errors"
	"time"
)

// ErrFull is returned by Append when a limit is reached and the policy is to
// drop the newest: the message was not taken.
var ErrFull = errors.New("outbox is full: raise its limit, or let it drop the oldest")

// ErrClosed is returned by a box that has been closed.
var ErrClosed = errors.New("outbox is closed")

// ErrHeld is wrapped by the error of an Append whose message was taken, but is
// in memory only, because the disk cannot be written now. It becomes safe by
// itself when the disk is back, and is delivered before that if the broker can be
// reached; it is lost only if the process ends first.
var ErrHeld = errors.New("held in memory only: the message is not safe until the disk can be written again")

// ErrTooLarge is returned by Append for a message that no box takes.
var ErrTooLarge = errors.New("message is too large for the outbox: a topic has at most 65535 bytes, a payload 256 MiB")

// Drop says which message gives way when a limit is reached.
type Drop int

const (
	// DropNewest refuses the message being appended, with ErrFull.
	DropNewest Drop = iota
	// DropOldest removes messages from the front until the new one fits.
	DropOldest
)

// String returns the name used in configurations: newest or oldest.
func (d Drop) String() string {
	if d == DropOldest {
		return "oldest"
	}
	return "newest"
}

// Class tells messages apart that have limits of their own.
type Class uint8

// The classes of messages.
const (
	Reading Class = iota // what comes again: the next one tells nearly the same
	Alarm                // what happens once
	classes
)

// String returns reading or alarm.
func (c Class) String() string {
	if c == Alarm {
		return "alarm"
	}
	return "reading"
}

// Limits bound a box. Zero and negative values mean no limit.
type Limits struct {
	Messages int
	Bytes    int64 // topics and payloads together
	// Age is how long a message may wait before it gives way, whatever Drop
	// says. Messages whose time is not known do not age.
	Age  time.Duration
	Drop Drop
	// Alarms, if not nil, bounds the alarms by themselves, and the rest of this
	// value the readings. Otherwise both count together. Its own Alarms means
	// nothing.
	Alarms *Limits
}

// of returns the limits of a class, and which classes they bound together.
func (l *Limits) of(c Class) (*Limits, classSet) {
	if l.Alarms == nil {
		return l, allClasses
	}
	if c == Alarm {
		return l.Alarms, 1 << Alarm
	}
	return l, 1 << Reading
}

// each calls f for each set of classes that is bounded together.
func (l *Limits) each(f func(*Limits, classSet)) {
	f(l.of(Reading))
	if l.Alarms != nil {
		f(l.of(Alarm))
	}
}

// classSet has bit 1<<c for each class c in it.
type classSet uint8

const allClasses classSet = 1<<classes - 1

func (s classSet) has(c Class) bool { return s&(1<<c) != 0 }

// Record is a message in the box.
type Record struct {
	Seq     uint64 // set by Append
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	Class   Class

	// Time is when the message was made, kept to the millisecond; it is what
	// Limits.Age of a box on disk counts from, and it never decides the order. If
	// it is zero, and there is no Stamp, the box sets it when it knows the time.
	Time time.Time
	// Life is how long after its making the message is worth being delivered; 0
	// for ever. The box keeps it; who delivers heeds it.
	Life time.Duration
	// Stamp says when the message was made by a clock that nobody sets: if the time
	// was not known then, or if the message has a life.
	Stamp Stamp
	// Field is the part of the payload that is to be filled in with the time
	// when the clock is known. One that had its time when it was made has none.
	Field TimeField
}

// Stamp is a moment by a clock that runs from boot to shutdown.
type Stamp struct {
	Boot [16]byte      // which boot; all zero: there is no stamp
	Mono time.Duration // since then
}

// TimeField is a range of the payload's bytes that holds a time. A Length of 0
// means that there is none.
type TimeField struct {
	Offset, Length uint32
	Format         uint8 // the link's business
}

// undated reports whether nothing says when the message was made.
func (r *Record) undated() bool { return r.Time.IsZero() && r.Stamp.Boot == [16]byte{} }

// size is what a record counts for against Limits.Bytes.
func (r *Record) size() int64 { return int64(len(r.Topic) + len(r.Payload)) }

// Stats is a box at one moment.
type Stats struct {
	Messages int
	Bytes    int64
	Alarms   int       // of Messages
	Dropped  uint64    // messages given up under Limits since the box was opened
	Oldest   time.Time // when the first one was made; zero: there is none, or it was not known

	// Only a box on disk has the rest.

	Held      int    // of Messages: those in memory only
	HeldBytes int64  // their topics and payloads
	Err       error  // why they are, or why the next one will be; nil: the disk is well
	Torn      uint64 // messages cut off at the end of the log, where writing was interrupted
	Damaged   uint64 // messages that could not be read back
	SetAside  int    // files kept aside because of that
}

// Box is an ordered queue of messages. Its methods may be called from several
// goroutines at once; the order of records is the order in which the calls of
// Append took effect.
type Box interface {
	// Append returns the record's sequence number when the message is as safe
	// as this box makes it. It copies what it keeps: the caller may reuse the
	// payload. r.Seq is ignored. With an error that wraps ErrHeld the message
	// has been taken all the same; with any other it has not.
	Append(r Record) (seq uint64, err error)
	// Next returns the first record whose sequence number is at least from.
	// The payload must not be changed; it stays readable after an Ack.
	Next(from uint64) (r Record, ok bool, err error)
	// Ack removes the records up to and including seq. Acknowledging twice, or
	// records that were dropped meanwhile, is no error.
	Ack(seq uint64) error
	// AckOne removes the record seq and leaves those before it: for messages that
	// overtake others. A record that is gone already is no error.
	AckOne(seq uint64) error
	// NextSeq returns the sequence number that the next record taken will have: all
	// that are in the box have lower ones.
	NextSeq() uint64
	// Len returns the number of records.
	Len() int
	// Stats returns the counts.
	Stats() Stats
	// Close ends the box; what a durable one holds is there when it is opened
	// again. Calls after Close return ErrClosed.
	Close() error
}
