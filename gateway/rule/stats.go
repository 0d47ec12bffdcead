package rule

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pithings/gateway/script"
	"pithings/quietlog"
)

// Stats are what a rule has done.
type Stats struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Calls     uint64 `json:"calls"`
	Failed    uint64 `json:"failed"`          // calls that ended with an exception or at a limit
	Skipped   uint64 `json:"skipped"`         // calls that were left out while it paused, and polls while it was too slow
	Published uint64 `json:"published"`       // messages that were accepted
	Refused   uint64 `json:"refused"`         // messages that were not
	Error     string `json:"error,omitempty"` // the last one; "" after a call that ended well
}

// A rule whose script met a limit pauses from firstPause, doubled each time up to
// lastPause, and back to firstPause after a call that ended.
const (
	firstPause = 10 * time.Second
	lastPause  = 10 * time.Minute
)

// tally is what becomes of the calls and messages of a rule, and whether it pauses.
type tally struct {
	log *quietlog.Repeats

	mu    sync.Mutex
	is    Stats
	pause time.Duration
	until time.Time
}

func newTally(kind, name string, log *quietlog.Repeats) *tally {
	return &tally{is: Stats{Kind: kind, Name: name}, log: log}
}

// stats are those of now.
func (t *tally) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.is
}

// awake reports whether the rule may be called. A call that may not be is counted.
func (t *tally) awake() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) {
		t.is.Skipped++
		return false
	}
	return true
}

// ended notes how a call ended.
func (t *tally) ended(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // the gateway ends
	}
	var e *script.Error
	limit := errors.As(err, &e) && e.Limit
	pause := t.count(err, limit)
	switch {
	case err == nil:
	case limit:
		t.log.Say(slog.LevelError, err.Error(), "rule stopped: its script met a limit; it pauses", "rule", t.is.Name, "kind", t.is.Kind, "pause", pause, "err", err)
	default:
		t.log.Say(slog.LevelError, err.Error(), "rule stopped: its script raised an exception", "rule", t.is.Name, "kind", t.is.Kind, "err", err)
	}
}

// count counts a call, and returns how long the rule pauses.
func (t *tally) count(err error, limit bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Calls++
	if err == nil {
		t.is.Error, t.pause = "", 0
		return 0
	}
	t.is.Failed++
	t.is.Error = err.Error()
	if limit {
		t.pause = min(max(2*t.pause, firstPause), lastPause)
		t.until = time.Now().Add(t.pause)
	}
	return t.pause
}

// fails notes why the rule is not as its settings want it.
func (t *tally) fails(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Error = err.Error()
}

// skip notes a call that was left out.
func (t *tally) skip() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Skipped++
}

// message notes whether a message was accepted.
func (t *tally) message(accepted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if accepted {
		t.is.Published++
	} else {
		t.is.Refused++
	}
}
