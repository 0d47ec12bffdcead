package quietlog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The policies of Repeats: that of a key, and that of all keys together, since lines
// may all be different (their topics come from others).
var (
	lasting = policy{first: 1, pause: time.Minute, longest: time.Hour, forget: 10 * time.Minute}
	budget  = policy{first: 20, every: 3 * time.Minute, pause: 3 * time.Minute, longest: 3 * time.Minute, forget: 10 * time.Minute}
)

// maxRepeats is how many keys are remembered.
const maxRepeats = 64

// Repeats writes the lines of conditions that last. An hour without a network
// costs a handful of lines, not a line each attempt. Its methods may be called from
// several goroutines at once.
type Repeats struct {
	log *slog.Logger

	mu   sync.Mutex
	keys map[string]*gate
	all  gate
}

// NewRepeats returns a Repeats that writes to log.
func NewRepeats(log *slog.Logger) *Repeats { return &Repeats{log: log} }

// Say writes msg and args unless the same key came a short while ago, and reports
// whether it did.
func (r *Repeats) Say(level slog.Level, key, msg string, args ...any) (written bool) {
	repeated, others, ok := r.pass(key, time.Now())
	if !ok {
		return false
	}
	if repeated > 0 {
		args = append(args, "repeated", repeated)
	}
	if others > 0 {
		args = append(args, "held_back", others)
	}
	r.log.Log(context.Background(), level, msg, args...)
	return true
}

func (r *Repeats) pass(key string, now time.Time) (repeated, others int, ok bool) {
	key = Clip(key, MaxText)
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.keys[key]
	if g == nil {
		if len(r.keys) >= maxRepeats {
			r.forget(now)
		}
		g = new(gate)
		if r.keys == nil {
			r.keys = make(map[string]*gate)
		}
		r.keys[key] = g
	}
	if repeated, ok = g.pass(&lasting, now); !ok {
		return 0, 0, false
	}
	if others, ok = r.all.pass(&budget, now); !ok {
		g.held += repeated // what was not written is still to be counted
		return 0, 0, false
	}
	return repeated, others, true
}

// forget makes room: the keys that are old, else all of them.
func (r *Repeats) forget(now time.Time) {
	for key, g := range r.keys {
		if now.Sub(g.came) > lasting.forget {
			delete(r.keys, key)
		}
	}
	if len(r.keys) >= maxRepeats {
		clear(r.keys)
	}
}
