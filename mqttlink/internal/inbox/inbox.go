// Package inbox calls one handler for a stream of messages: in order, one at a
// time, on a goroutine that exists only while there is something to handle, from
// a queue that never grows beyond its limits. Offering never blocks, so a
// network loop can do it.
package inbox

import (
	"context"
	"sync"
)

// Inbox feeds one handler.
type Inbox[M any] struct {
	ctx    context.Context // ends with Stop; what the handler gets
	cancel context.CancelFunc
	handle func(context.Context, M)
	size   func(M) int
	max    int // messages
	bytes  int // bytes, as size counts them

	mu      sync.Mutex
	queue   []M
	queued  int // bytes in queue
	stopped bool
	done    chan struct{} // closed when the running goroutine ends; nil when none runs
}

// New returns an inbox that holds at most max messages and, unless there is only
// one, maxBytes bytes. Nothing runs until the first Offer.
func New[M any](ctx context.Context, max, maxBytes int, size func(M) int, handle func(context.Context, M)) *Inbox[M] {
	b := &Inbox[M]{handle: handle, size: size, max: max, bytes: maxBytes}
	b.ctx, b.cancel = context.WithCancel(ctx)
	return b
}

// Offer queues m and returns how many older messages were dropped for it.
func (b *Inbox[M]) Offer(m M) (dropped int) {
	n := b.size(m)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0
	}
	for len(b.queue) > 0 && (len(b.queue) >= b.max || b.queued+n > b.bytes) {
		b.pop()
		dropped++
	}
	b.queue = append(b.queue, m)
	b.queued += n
	if b.done == nil {
		b.done = make(chan struct{})
		go b.run(b.done)
	}
	return dropped
}

// pop takes the oldest message. b.mu is held.
func (b *Inbox[M]) pop() M {
	var zero M
	m := b.queue[0]
	b.queue[0] = zero
	b.queue = b.queue[1:]
	b.queued -= b.size(m)
	return m
}

// run handles what is queued and ends when nothing is left.
func (b *Inbox[M]) run(done chan struct{}) {
	defer close(done)
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) > 0 && !b.stopped {
		m := b.pop()
		b.mu.Unlock()
		b.handle(b.ctx, m)
		b.mu.Lock()
	}
	b.queue = nil // the next burst starts in fresh memory; this one may be large
	b.done = nil
}

// Stop ends the inbox: what is queued is forgotten, the handler's context ends,
// and Stop waits for a handler that is running. A handler that ends its own inbox calls
// Stop on another goroutine.
func (b *Inbox[M]) Stop() {
	b.mu.Lock()
	b.stopped = true
	b.queue, b.queued = nil, 0
	done := b.done
	b.mu.Unlock()
	b.cancel()
	if done != nil {
		<-done
	}
}
