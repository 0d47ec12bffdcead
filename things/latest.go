package things

import (
	"context"
	"sync"
)

// latest runs one job at a time, the one asked for last: a new one cancels the
// one that runs and waits for its end.
type latest struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

// run starts job in the place of the one before it. The context of the job ends
// with ctx, or when the next job comes.
func (l *latest) run(ctx context.Context, job func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	l.cancel, l.done = cancel, done
	go func() {
		defer close(done)
		defer cancel()
		job(ctx)
	}()
}

// stop cancels the job that runs and waits for its end.
func (l *latest) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

func (l *latest) end() {
	if l.cancel != nil {
		l.cancel()
		<-l.done
		l.cancel = nil
	}
}
