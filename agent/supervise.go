package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"pithings/things"
)

// The pauses between attempts to open a part that fails: doubled from first to
// last, with jitter, and back to first after the part worked for longer than
// last: one that opens and fails at once is no better than one that fails.
const (
	firstPause = 1 * time.Second
	lastPause  = 60 * time.Second
)

// supervise keeps a thing's part working until ctx is done. A failure is logged
// once, and again only when its reason changes; so is the recovery.
func supervise(ctx context.Context, t things.Thing, h *Health, log *slog.Logger) {
	pause := firstPause
	report := func(err error) { h.set(ctx, t.Name(), err, log) }
	for {
		began := time.Now()
		err := run(ctx, t, report)
		if time.Since(began) > lastPause { // it worked for a while
			pause = firstPause
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("stopped by itself")
		}
		report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
		pause = min(2*pause, lastPause)
	}
}

// run contains a panic in one thing's code: the others must not pay for it.
func run(ctx context.Context, t things.Thing, report func(error)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error, please report it: %v", p)
		}
	}()
	return t.Run(ctx, report)
}

// RunOne runs a single thing until ctx is done.
func RunOne(ctx context.Context, t things.Thing, log *slog.Logger) {
	supervise(ctx, t, newHealth([]string{t.Name()}, nil, nil), log)
}
