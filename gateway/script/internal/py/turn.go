package py

import (
	"runtime"
	"sync/atomic"
	"time"
)

// The runtime takes a processor from a goroutine that computes only after 10 ms, and nothing
// looks at the network while all of them compute. So scripts leave one processor alone: no more
// of them compute at once than turns holds, and they take turns. A script that waits, for a
// host's function or in time.sleep, has none.

// turns has a place for each script that computes.
var turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))

// waiting is how many scripts wait for a turn.
var waiting atomic.Int32

// turnTime is how long a turn takes if others wait.
const turnTime = time.Millisecond

// turn is that of one script.
type turn struct {
	has   bool
	began time.Time
}

// begin waits for a turn.
func (t *turn) begin() {
	select {
	case turns <- struct{}{}:
	default:
		waiting.Add(1)
		turns <- struct{}{}
		waiting.Add(-1)
	}
	t.has, t.began = true, time.Now()
}

// end ends the turn, if there is one.
func (t *turn) end() {
	if t.has {
		t.has = false
		<-turns
	}
}

// yield lets another script have its turn, if one waits and this one has had its own.
func (t *turn) yield(now time.Time) {
	if waiting.Load() > 0 && t.has && now.Sub(t.began) >= turnTime {
		t.end()
		t.begin()
	}
}
