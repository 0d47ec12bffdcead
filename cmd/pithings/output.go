package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// output is a writer that never makes its caller wait: who reads our standard
// output may have stopped reading (a pager, a full pipe), and the things must go
// on. Lines that find the queue full are dropped, and their number is printed when
// there is room again.
type output struct {
	w      io.Writer
	failed func(error) // called once, when the reader is gone
	notes  io.Writer   // gets what is said of dropped lines, instead of w, if not nil

	mu      sync.Mutex
	queue   []byte
	writing int // bytes that have left it and are not written yet
	dropped int // lines
	closed  bool
	wake    chan struct{} // has a token when something is queued
	hurry   chan struct{} // has a token when that is much
	closing chan struct{} // closed by close
	ended   chan struct{}
}

// outputQueue bounds what waits for the reader, in bytes.
const outputQueue = 256 << 10

// gather is how long lines wait for others after some have been written: a system call
// for each of them costs a flow more than its hops do. A line that follows none goes out
// at once.
const gather = 20 * time.Millisecond

func newOutput(w io.Writer, failed func(error)) *output {
	o := &output{
		w: w, failed: failed, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		closing: make(chan struct{}), ended: make(chan struct{}),
	}
	go o.run()
	return o
}

// Write queues a copy of p. It never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
	case o.writing+len(o.queue) > 0 && o.writing+len(o.queue)+len(p) > outputQueue: // one always has room
		o.dropped++
	default:
		o.tellDropped()
		o.queue = append(o.queue, p...)
		tell(o.wake)
		if len(o.queue) > outputQueue/2 {
			tell(o.hurry)
		}
	}
	return len(p), nil
}

func (o *output) tellDropped() {
	if o.dropped > 0 {
		if o.notes != nil {
			fmt.Fprintf(o.notes, "pithings: %d messages dropped: no reader\n", o.dropped)
		} else {
			o.queue = fmt.Appendf(o.queue, "(%d lines dropped: no reader)\n", o.dropped)
		}
		o.dropped = 0
	}
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (o *output) run() {
	defer close(o.ended)
	var b []byte
	for closing := false; !closing; {
		select {
		case <-o.wake:
		case <-o.closing:
			closing = true
		}
		o.mu.Lock()
		b, o.queue = o.queue, b[:0]
		o.writing = len(b)
		o.mu.Unlock()
		if len(b) == 0 {
			continue
		}
		_, err := o.w.Write(b)
		o.mu.Lock()
		o.writing = 0
		if err != nil {
			o.closed, o.queue = true, nil
		}
		o.mu.Unlock()
		if err != nil {
			o.failed(err)
			return
		}
		if cap(b) > outputQueue/4 {
			b = nil // a burst is over
		}
		select {
		case <-time.After(gather):
		case <-o.hurry:
		case <-o.closing:
		}
	}
}

// close writes what is queued, unless the reader takes longer than a second.
func (o *output) close() {
	o.mu.Lock()
	if !o.closed {
		o.tellDropped()
		o.closed = true
	}
	o.mu.Unlock()
	close(o.closing)
	select {
	case <-o.ended:
	case <-time.After(time.Second):
	}
}
