package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"pithings/things"
)

// The pauses between attempts to open a part, or to start a service, that fails: doubled from
// first to last, with jitter, and back to first after it worked for longer than last: one that
// opens and fails at once is no better than one that fails.
const (
	firstPause = 1 * time.Second
	lastPause  = 60 * time.Second
)

// backoff is the pauses of one part or service. The zero value begins with the first.
type backoff struct{ pause time.Duration }

// wait pauses after an attempt that worked for a time. It returns false if ctx is done.
func (b *backoff) wait(ctx context.Context, worked time.Duration) bool {
	if b.pause == 0 || worked > lastPause {
		b.pause = firstPause
	}
	pause := b.pause/2 + rand.N(b.pause/2+1)
	b.pause = min(2*b.pause, lastPause)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// contain calls f and returns a panic in it as an error: the others must not end with it.
func contain(log *slog.Logger, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("internal error, please report it", "err", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error, please report it: %v", p)
		}
	}()
	return f()
}

// supervise keeps a thing's part working until ctx is done. A failure is logged
// once, and again only when its reason changes; so is the recovery.
func supervise(ctx context.Context, t things.Thing, h *Health, log *slog.Logger) {
	report := func(err error) { h.set(ctx, t.Name(), err, log) }
	var b backoff
	contained := log.With("thing", t.Name())
	for {
		began := time.Now()
		err := contain(contained, func() error { return t.Run(ctx, report) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("stopped by itself")
		}
		report(err)
		if !b.wait(ctx, time.Since(began)) {
			return
		}
	}
}

// again calls run until ctx is done, after pauses: what ends by itself is started again.
func again(ctx context.Context, log *slog.Logger, what string, run func(context.Context) error) {
	var pauses backoff
	for {
		began := time.Now()
		err := contain(log, func() error { return run(ctx) })
		if ctx.Err() != nil {
			return
		}
		log.Error(what+" failed; it starts again by itself", "err", err)
		if !pauses.wait(ctx, time.Since(began)) {
			return
		}
	}
}

// RunOne runs a single thing until ctx is done.
func RunOne(ctx context.Context, t things.Thing, log *slog.Logger) {
	supervise(ctx, t, newHealth([]string{t.Name()}), log)
}
