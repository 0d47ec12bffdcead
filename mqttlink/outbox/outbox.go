// Package outbox keeps the messages that a link has accepted and the broker has
// not yet acknowledged, in the order in which they were accepted.
//
// A Box knows nothing of networks. The link appends, reads on from a position,
// and acknowledges up to a sequence number when the broker's PUBACK has come;
// after a lost connection it simply reads again from the first record that is
// left. Sequence numbers are given by the box, start at 1, rise by one, and are
// never used twice.
//
// Memory is a box that ends with the process. Disk is one that outlives it:
// docs/outbox-format.md describes its files.
package outbox

import (
	"context"
	"errors"
	"time"
)

// ErrFull is returned by Append when a limit is reached and the policy is to
// drop the newest: the message was not taken.
var ErrFull = errors.New("outbox is full: raise its limit, or let it drop the oldest")

// ErrClosed is returned by a box that has been closed.
var ErrClosed = errors.New("outbox is closed")

// ErrUnsaved is wrapped by the error of an Append whose message was taken, but is
// in memory only, because the disk cannot be written now. It becomes safe by
// itself when the disk is back, and is delivered before that if the broker can be
// reached; it is lost only if the process ends first.
var ErrUnsaved = errors.New("in memory only: the message is not safe until the disk can be written again")

// ErrTooLarge is returned by Append for a message that no box takes.
var ErrTooLarge = errors.New("message is too large for the outbox: a topic has at most 65535 bytes, a payload 256 MiB")

// Drop says which message is dropped when a limit is reached.
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

// Class is the kind of a message: each can have limits of its own.
type Class uint8

// The classes of messages.
const (
	Reading Class = iota // measured again and again: the next one says nearly the same
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
	// Age is how long a message may wait before it is dropped, whatever Drop
	// says. Messages whose time is not known do not age.
	Age  time.Duration
	Drop Drop
	// Alarms, if not nil, bounds the alarms by themselves, and the rest of this
	// value the readings. Otherwise both count together. Its own Alarms means
	// nothing.
	Alarms *Limits
}

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
	// Expiry is how long after its making the message is worth being delivered; 0
	// for ever. The box keeps it; the sender drops what is too old.
	Expiry time.Duration
	// Stamp says when the message was made by a clock that is never set: if the time
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

// Stats is a box at one moment.
type Stats struct {
	Messages int
	Bytes    int64
	Alarms   int       // of Messages
	Dropped  uint64    // messages dropped or refused under Limits since the box was opened
	Oldest   time.Time // when the first one was made; zero: there is none, or it was not known

	// Only a box on disk has the rest.

	Unsaved      int    // of Messages: those in memory only; after Close, those that went with it
	UnsavedBytes int64  // their topics and payloads
	Err          error  // why they are, or why the next one will be; nil: the disk is well
	Torn         uint64 // messages cut off at the end of the log, where writing was interrupted
	Damaged      uint64 // messages that could not be read back
	DamagedFiles int    // files kept for people because of that
}

// Safety is what the messages in a box survive.
type Safety int

const (
	// InMemory: nothing. They end with the process.
	InMemory Safety = iota
	// InKernel: the end of the process, but not a power cut.
	InKernel
	// OnDisk: a power cut.
	OnDisk
)

// Appended is what AppendAll has taken: the first N records. Others may have
// appended between them, so that their sequence numbers, from First to Last, are
// not always in a row.
type Appended struct {
	First, Last uint64
	N           int
}

// Box is an ordered queue of messages. Its methods may be called from several
// goroutines at once; the order of records is the order in which the calls of
// Append and Stage took effect. After Close those that can return ErrClosed do.
type Box interface {
	// Safety says what a message survives when Append or Settle has returned without
	// an error. It never changes.
	Safety() Safety

	// Append returns the record's sequence number when the message is as safe
	// as this box makes it. It copies what it keeps: the caller may reuse the
	// payload. r.Seq is ignored. With an error that wraps ErrUnsaved the message
	// has been taken all the same; with any other it has not.
	Append(r Record) (seq uint64, err error)
	// AppendAll appends records in their order, and in one commit as far as that is
	// possible. Those that it has not taken it has not for the reason given. An error
	// that wraps ErrUnsaved says that the last of those taken are in memory only.
	AppendAll(rs []Record) (a Appended, err error)
	// Stage is the first half of Append: the message has its number and its place, and
	// may be delivered, but is not safe before Settle has returned, and not to be read
	// or acknowledged. An error is one of Append; after one that wraps ErrUnsaved there
	// is nothing to settle.
	Stage(r Record) (seq uint64, err error)
	// Settle is the second half of Append, for the message seq and all before it.
	Settle(seq uint64) error
	// Sync returns nil when all that was appended before is as safe as the box can make
	// it, whatever Safety says. An error that wraps ErrUnsaved says that some of it is
	// in memory only.
	Sync() error
	// Safe waits until the message seq, for which Append returned ErrUnsaved, is as
	// safe as Safety says, or has left the box.
	Safe(ctx context.Context, seq uint64) error

	// Next returns the first record whose sequence number is at least from.
	// The payload must not be changed; it stays readable after an Ack. An error means
	// that the box cannot be read now: damaged messages are passed over and counted.
	Next(from uint64) (r Record, ok bool, err error)
	// NextSeq returns the sequence number that the next record taken will have: all
	// that are in the box have lower ones.
	NextSeq() uint64

	// Ack removes the records up to and including seq. Acknowledging twice, or
	// records that were dropped meanwhile, is no error.
	Ack(seq uint64) error
	// AckOne removes the record seq and leaves those before it: for messages that
	// overtake others. A record that is gone already is no error.
	AckOne(seq uint64) error
	// AckLater and AckOneLater do the same, but the end of the process undoes them
	// unless Save is called.
	AckLater(seq uint64) error
	AckOneLater(seq uint64) error
	// Save saves what was acknowledged, if that has not been done. If it cannot be
	// written now, the box does that when it can; it costs duplicates only.
	Save()
	// Saved reports whether all that was acknowledged stays so when the process ends:
	// if not, those messages are delivered again.
	Saved() bool
	// SetHanded notes that the messages without acknowledgement (QoS 0) up to seq have
	// been given to the network, so that they are not sent again after a restart
	// although they are still behind others in the box. It is saved with the next Ack.
	SetHanded(seq uint64)
	// Handed returns what SetHanded noted.
	Handed() uint64

	// Len returns the number of records.
	Len() int
	// Stats returns the counts.
	Stats() Stats
	// Close ends the box; what a durable one has is there when it is opened again.
	Close() error
}
