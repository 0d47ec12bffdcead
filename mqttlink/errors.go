package mqttlink

import (
	"errors"

	"pithings/mqttlink/outbox"
)

// Errors of Publish and Subscribe, beside LimitError and what wraps topic.ErrInvalid or ErrQoS.
var (
	// ErrFull says that the outbox is at its limit: the message was not taken.
	ErrFull = outbox.ErrFull
	// ErrUnsaved says that the message was taken, but is in memory only until the disk
	// can be written again.
	ErrUnsaved = outbox.ErrUnsaved
	// ErrOffline says that there is no connection and that the options allow no
	// queueing: the message was not taken.
	ErrOffline = errors.New("no connection to the broker, and queueing is switched off (at most 0 messages): publish again later, or allow a queue")
	// ErrUndated says that this machine's clock is not known to be right, so that the
	// message would have to wait, and that the options allow no queueing: the message
	// was not taken.
	ErrUndated = errors.New("this machine's clock is not known to be right, and queueing is switched off (at most 0 messages): publish again later, allow a queue, or trust the clock (clock: trust)")
	// ErrUnqueued says that a message is not to be queued, and that the network did not
	// take it at once: it was not taken.
	ErrUnqueued = errors.New("the network did not take it at once")
	// ErrHeld says that nothing is sent from the outbox, because of Link.Hold.
	ErrHeld = errors.New("the connection is held")
	// ErrEnded says that Run has returned.
	ErrEnded = errors.New("the link has ended")
)
