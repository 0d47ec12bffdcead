package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// output is a writer that never makes its caller wait: who reads our standard
// output may have stopped reading (a pager, a full pipe), and the things must go
// on. Lines that find the queue full are dropped, and their number is told when
// there is room again.
type output struct {
	w      io.Writer
	failed func(error) // called once, when nobody reads any more

	mu      sync.Mutex
	queue   [][]byte
	queued  int // bytes
	dropped int
	closed  bool
	wake    chan struct{}
	ended   chan struct{}
}

// outputQueue bounds what waits for the reader, in bytes.
const outputQueue = 256 << 10

func newOutput(w io.Writer, failed func(error)) *output {
	o := &output{w: w, failed: failed, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go o.run()
	return o
}

// Write queues a copy of p. It never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
	case o.queued+len(p) > outputQueue:
		o.dropped++
	default:
		if o.dropped > 0 {
			o.add(fmt.Appendf(nil, "(%d lines dropped: nobody read them)\n", o.dropped))
			o.dropped = 0
		}
		o.add(append([]byte(nil), p...))
	}
	return len(p), nil
}

func (o *output) add(p []byte) {
	o.queue = append(o.queue, p)
	o.queued += len(p)
	o.signal()
}

func (o *output) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *output) run() {
	defer close(o.ended)
	for range o.wake {
		for {
			o.mu.Lock()
			if len(o.queue) == 0 {
				closed := o.closed
				o.queue = nil
				o.mu.Unlock()
				if closed {
					return
				}
				break
			}
			p := o.queue[0]
			o.queue = o.queue[1:]
			o.queued -= len(p)
			o.mu.Unlock()
			if _, err := o.w.Write(p); err != nil {
				o.mu.Lock()
				o.closed, o.queue = true, nil
				o.mu.Unlock()
				o.failed(err)
				return
			}
		}
	}
}

// close writes what is queued, unless the reader takes longer than a second.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.signal()
	select {
	case <-o.ended:
	case <-time.After(time.Second):
	}
}
