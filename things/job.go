package things

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// job is one thing being done at a time, in a goroutine of its own.
type job struct {
	log *slog.Logger

	mu      sync.Mutex
	cancel  context.CancelFunc
	done    chan struct{} // closed when what was started last has ended; nil before
	running bool
	repeat  bool // asked for again meanwhile
}

// replace starts do in the place of what runs, which is cancelled and waited
// for. The context of do ends with ctx, or with the next job, or with stop.
func (j *job) replace(ctx context.Context, do func(context.Context)) {
	j.stop()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.start(ctx, do)
}

// again starts do, or has it done once more if it is being done.
func (j *job) again(ctx context.Context, do func(context.Context)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running {
		j.repeat = true
		return
	}
	j.start(ctx, do)
}

// stop cancels what runs and waits for its end.
func (j *job) stop() {
	j.mu.Lock()
	cancel, done := j.cancel, j.done
	j.repeat = false
	j.mu.Unlock()
	if done != nil {
		cancel()
		<-done
	}
}

// start is called with the lock held, while nothing runs.
func (j *job) start(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	j.cancel, j.done, j.running = cancel, done, true
	go func() {
		defer close(done)
		defer cancel()
		for {
			j.once(ctx, do)
			j.mu.Lock()
			more := j.repeat && ctx.Err() == nil
			j.repeat, j.running = false, more
			j.mu.Unlock()
			if !more {
				return
			}
		}
	}()
}

// once contains a panic: a picture that somebody sent may have found a fault in
// a decoder, and must not take the other things along.
func (j *job) once(ctx context.Context, do func(context.Context)) {
	defer func() {
		if p := recover(); p != nil {
			j.log.Error("internal error in a command; please report it", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do(ctx)
}
