package things

import (
	"context"
	"sync"
)

// job is one thing being done at a time, in a goroutine of its own.
type job struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{} // closed when what was started last has ended; nil before
}

// replace starts do in the place of what runs, which is cancelled and waited
// for. The context of do ends with ctx, or with the next job, or with stop.
func (j *job) replace(ctx context.Context, do func(context.Context)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end()
	j.start(ctx, do)
}

// try starts do unless something runs.
func (j *job) try(ctx context.Context, do func(context.Context)) (started bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done != nil {
		select {
		case <-j.done:
		default:
			return false
		}
	}
	j.start(ctx, do)
	return true
}

// stop cancels what runs and waits for its end.
func (j *job) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end()
}

func (j *job) start(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	j.cancel, j.done = cancel, done
	go func() {
		defer close(done)
		defer cancel()
		do(ctx)
	}()
}

func (j *job) end() {
	if j.cancel != nil {
		j.cancel()
		<-j.done
	}
}
