package device

import (
	"context"
	"time"
)

// Values are the named values of an event, of an action's arguments or of its
// answer: what JSON can hold.
type Values = map[string]any

// Event is something that a thing reports: a change of its state, an occurrence, a reading.
type Event struct {
	Thing  string    // the thing's name
	Name   string    // the event's name in the thing's Model
	Values Values    // read only: several receivers share it
	At     time.Time // when it happened, or, of a reading, when the measurement began
}

// Actor is a thing as those see it who use things: flows, the gateway, other programs.
type Actor interface {
	// Watch calls fn for every event of that name, until stop. at is when the
	// event happened, or zero if that is not known. fn returns at once and may keep
	// values, which nothing changes. stop waits for no call of fn.
	Watch(event string, fn func(values map[string]any, at time.Time)) (stop func(), err error)
	// Call runs an action and returns its answer. It ends when ctx does; ctx's
	// deadline is also the command's expiry. input is not changed.
	//
	// An error may have a method ErrorName() string, whose result the retries and
	// catches of flows can name.
	Call(ctx context.Context, action string, input map[string]any) (map[string]any, error)
}

// Reader may be implemented by an Actor whose part can be asked for its values at any time,
// and not only when it reports them by itself.
type Reader interface {
	// Read measures anew, and returns what it finds as the events that would report it. Only
	// the caller gets them: they are neither published nor emitted on a Bus. A value that
	// could not be measured is nil. An error is that nothing was measured, as when the part
	// is not open or ctx is done. It may be called from several goroutines at once, and
	// returns soon after ctx is done.
	Read(ctx context.Context) ([]Event, error)
}

// Busy reports what must not be interrupted by a restart or an update: a flow's execution,
// a picture being taken.
type Busy interface {
	// Busy returns what is under way in a few words, or "" if nothing is.
	Busy() string
}
