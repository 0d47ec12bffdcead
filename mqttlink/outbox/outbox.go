// Package outbox keeps the messages that a link has accepted and the broker has
// not yet acknowledged, in the order in which they were accepted.
//
// A Box knows nothing of networks. The link appends, reads on from a position,
// and acknowledges up to a sequence number when the broker's PUBACK has come;
// after a lost connection it simply reads again from the first record that is
// left. Sequence numbers are given by the box, start at 1, rise by one, and are
// never used twice.
package outbox

import "errors"

// ErrFull is returned by Append when a limit is reached and the policy is to
// drop the newest: the message was not taken.
var ErrFull = errors.New("outbox is full: raise its limit, or let it drop the oldest")

// ErrClosed is returned by a box that has been closed.
var ErrClosed = errors.New("outbox is closed")

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

// Limits bound a box. Zero and negative values mean no limit.
type Limits struct {
	Messages int
	Bytes    int64 // topics and payloads together
	Drop     Drop
}

// Record is a message in the box.
type Record struct {
	Seq     uint64 // set by Append
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// size is what a record counts for against Limits.Bytes.
func (r Record) size() int64 { return int64(len(r.Topic) + len(r.Payload)) }

// Stats is a box at one moment.
type Stats struct {
	Messages int
	Bytes    int64
	Dropped  uint64 // messages given up under Limits since the box was opened
}

// Box is an ordered queue of messages. Its methods may be called from several
// goroutines at once; the order of records is the order in which the calls of
// Append took effect.
type Box interface {
	// Append returns the record's sequence number when the message is as safe
	// as this box makes it. It copies what it keeps: the caller may reuse the
	// payload. r.Seq is ignored.
	Append(r Record) (seq uint64, err error)
	// Next returns the first record whose sequence number is at least from.
	// The payload must not be changed; it stays readable after an Ack.
	Next(from uint64) (r Record, ok bool, err error)
	// Ack removes the records up to and including seq. Acknowledging twice, or
	// records that were dropped meanwhile, is no error.
	Ack(seq uint64) error
	// Len returns the number of records.
	Len() int
	// Stats returns the counts.
	Stats() Stats
	// Close ends the box; what a durable one holds is there when it is opened
	// again. Calls after Close return ErrClosed.
	Close() error
}
