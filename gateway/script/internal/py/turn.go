package py

import (
	"runtime"
	"time"
)

// The runtime takes a processor from a goroutine that computes only after 10 ms, and the system
// takes it from a thread after some milliseconds. A motion must not wait so long for a message
// to go out, on a machine whose other processor is at work. So scripts leave one processor
// alone, as no more of them compute at once than turns holds; and one that is no quick one rests
// after each short piece of its work, when all others have a go. A script that waits, for a
// host's function or in time.sleep, has no turn.

// turns has a place for each script that computes.
var turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))

const (
	quick = 300 * time.Microsecond // what a call computes before its first rest
	piece = 100 * time.Microsecond // what it computes between the later ones
	pause = 100 * time.Microsecond // how long it rests
)

// turn is that of one script.
type turn struct {
	has   bool
	until time.Time     // when it rests
	left  time.Duration // of what the call may compute then, while it has no turn
}

// first begins the first turn of a call.
func (t *turn) first() {
	t.left = quick
	t.begin()
}

// begin waits for a turn.
func (t *turn) begin() {
	turns <- struct{}{}
	t.has, t.until = true, time.Now().Add(t.left)
}

// end ends the turn, if there is one.
func (t *turn) end() {
	if t.has {
		t.has, t.left = false, time.Until(t.until)
		<-turns
	}
}

// breathe rests if the script has computed for long enough.
func (t *turn) breathe(now time.Time) {
	if t.has && now.After(t.until) {
		t.end()
		rest()
		t.left = piece
		t.begin()
	}
}
