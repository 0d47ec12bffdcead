package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"pithings/flow"
	"pithings/mqttlink/durable"
)

// Options bound a history. Zero values stand for the defaults.
type Options struct {
	MaxExecutions int           // default 1000
	MaxBytes      int64         // on disk; default 16 MiB, at least 64 KiB
	MaxAge        time.Duration // since an execution started; default 30 days
	SyncInterval  time.Duration // default 5 s
	// Waits: executions may continue that ran when the process ended: they stay
	// RUNNING until AbortUnless.
	Waits bool
	Log   *slog.Logger
}

// Bounds of what is kept in memory until it is written, and of a line.
const (
	maxQueue = 8192
	maxLine  = 64 << 10
	mostText = 4096 // bytes of a message of one that is too long
)

// History is an engine.Recorder.
type History struct {
	o     Options
	dir   string
	work  chan struct{} // has a token when something begins to wait
	ended chan struct{} // has a token when an execution has ended
	hurry chan struct{} // has a token when a caller waits, or much is queued
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the writer has ended

	mu       sync.Mutex
	closed   bool
	queue    []record          // not made lines yet
	waiting  int               // records that are not written yet
	logged   bool              // the writer knows that there are some
	waiters  []chan struct{}   // closed when those are written
	strict   bool              // and synced
	last     uint64            // number of the newest execution
	numbers  map[string]uint64 // by id
	entries  map[uint64]*entry
	order    []uint64 // oldest first; may hold numbers that are gone
	segments []segment
	over     chan struct{} // closed when an execution has ended, or all; nil: no caller awaits that
	lost     uint64        // records that could not be written
	lossTold bool
}

// entry is one execution.
type entry struct {
	flow.Execution
	first  int // the segment that it begins in, or unwritten
	events int // the number of its last event
}

// unwritten is where an execution begins whose first line is in the queue.
const unwritten = math.MaxInt

// record is one line.
type record struct {
	N       uint64               `json:"n"`
	Start   *flow.Execution      `json:"start,omitempty"`
	Event   *flow.ExecutionEvent `json:"event,omitempty"`
	End     *flow.Execution      `json:"end,omitempty"`
	Deleted bool                 `json:"deleted,omitempty"`
}

// ErrNotFound: no execution has that id.
var ErrNotFound = errors.New("there is no such execution")

// ErrClosed: the history was closed.
var ErrClosed = errors.New("the history of flows is closed")

// errEnded is the reason of executions that ran when the process ended.
const errEnded = "the engine ended while it ran"

// Open opens the history in a folder, and makes the folder if there is none. Only
// one process may have it open. Close must follow.
func Open(dir string, o Options) (*History, error) {
	o.MaxExecutions = cmp.Or(max(o.MaxExecutions, 0), 1000)
	o.MaxBytes = max(cmp.Or(max(o.MaxBytes, 0), 16<<20), 64<<10)
	o.MaxAge = cmp.Or(max(o.MaxAge, 0), 30*24*time.Hour)
	o.SyncInterval = cmp.Or(max(o.SyncInterval, 0), 5*time.Second)
	if err := durable.MakeFolder(dir); err != nil {
		return nil, fmt.Errorf("history of flows: %w", err)
	}
	closeFolder(dir)
	h := &History{o: o, dir: dir, work: make(chan struct{}, 1), ended: make(chan struct{}, 1), hurry: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		numbers: map[string]uint64{}, entries: map[uint64]*entry{}}
	if err := h.load(); err != nil {
		return nil, fmt.Errorf("history of flows: %w", err)
	}
	w := &writer{h: h}
	go w.run()
	if !o.Waits {
		h.AbortUnless(func(string) bool { return false })
	}
	return h, nil
}

// closeFolder takes others' permissions from a folder that an earlier version made with
// them: what flows work with is private. On a disk that cannot be written they
// stay.
func closeFolder(dir string) {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(dir, 0o700)
	}
}

// AbortUnless notes the end of executions that have none, and do not run, as runs
// distinguishes by their ids.
func (h *History) AbortUnless(runs func(id string) bool) {
	h.mu.Lock()
	var running []string
	for _, x := range h.entries {
		if x.Status == flow.Running {
			running = append(running, x.ID)
		}
	}
	h.mu.Unlock()
	running = slices.DeleteFunc(running, runs) // it may take other locks
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.abort(running) {
		h.enqueueLocked(r)
	}
	h.wake()
}

// abort makes the records of executions that end without one of their own. The lock is
// held.
func (h *History) abort(ids []string) (records []record) {
	for _, n := range h.order {
		x := h.entries[n]
		if x == nil || x.Status != flow.Running || !slices.Contains(ids, x.ID) {
			continue
		}
		x.events++
		x.Status, x.Reason, x.Ended = flow.Aborted, errEnded, time.Now()
		end := x.Execution
		records = append(records,
			record{N: n, Event: &flow.ExecutionEvent{ID: x.events, Type: flow.ExecutionAborted, Time: x.Ended, Payload: flow.EventPayload{Message: errEnded}}},
			record{N: n, End: &end})
	}
	if len(records) > 0 {
		h.o.Log.Warn("executions running when the process ended, now ABORTED", "n", len(records)/2)
	}
	return records
}

// Close writes what is left and syncs.
func (h *History) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	close(h.quit)
	h.wake()
	h.mu.Unlock()
	<-h.done
	return nil
}

// Started implements engine.Recorder.
func (h *History) Started(x flow.Execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	h.add(h.last, x)
	if h.enqueueLocked(record{N: h.last, Start: &x}) {
		h.entries[h.last].first = unwritten
	}
}

// add notes an execution. The lock is held, or nothing else has h yet.
func (h *History) add(n uint64, x flow.Execution) {
	h.entries[n] = &entry{Execution: x, first: h.newest()}
	h.numbers[x.ID] = n
	h.order = append(h.order, n)
}

// Event implements engine.Recorder.
func (h *History) Event(id string, e flow.ExecutionEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.numbers[id]
	x := h.entries[n]
	if x == nil {
		return // it was deleted while it runs
	}
	x.events = e.ID
	h.enqueueLocked(record{N: n, Event: &e})
}

// Ended implements engine.Recorder.
func (h *History) Ended(x flow.Execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.numbers[x.ID]
	e := h.entries[n]
	if e == nil {
		return
	}
	e.Execution = x
	h.enqueueLocked(record{N: n, End: &x})
	put(h.ended)
	h.wake()
}

// wake has those who await the end of an execution look again. The lock is held.
func (h *History) wake() {
	if h.over != nil {
		close(h.over)
		h.over = nil
	}
}

// Await waits for the end of an execution, and returns how it has ended. The error is
// ErrNotFound, ErrClosed or that of ctx.
func (h *History) Await(ctx context.Context, id string) (flow.Execution, error) {
	for {
		h.mu.Lock()
		x := h.entries[h.numbers[id]]
		switch {
		case x == nil:
			h.mu.Unlock()
			return flow.Execution{}, fmt.Errorf("%s: %w", id, ErrNotFound)
		case x.Status != flow.Running:
			ended := x.Execution
			h.mu.Unlock()
			return ended, nil
		case h.closed:
			h.mu.Unlock()
			return flow.Execution{}, ErrClosed
		}
		if h.over == nil {
			h.over = make(chan struct{})
		}
		over := h.over
		h.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return flow.Execution{}, ctx.Err()
		}
	}
}

// enqueueLocked never waits. It reports whether the record will be written.
func (h *History) enqueueLocked(r record) bool {
	if h.closed {
		return false
	}
	if h.waiting >= maxQueue {
		h.lose(errors.New("the disk is slower than the flows"))
		return false
	}
	h.queue = append(h.queue, r)
	h.waiting++
	if !h.logged {
		h.logged = true
		put(h.work)
	}
	if h.waiting > maxQueue/4 {
		put(h.hurry)
	}
	return true
}

// put puts a token into a channel, unless there is one.
func put(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lose counts a record that is not kept. The lock is held.
func (h *History) lose(err error) {
	h.lost++
	if !h.lossTold {
		h.lossTold = true
		h.o.Log.Error("history of flows has gaps; flows continue, further gaps are only counted", "dir", h.dir, "err", err)
	}
}

// Lost is the number of records that could not be kept.
func (h *History) Lost() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// Filter chooses executions. Fields that are empty choose all.
type Filter struct {
	Deployment, Flow string
	Status           flow.Status
	Limit            int // the newest so many; 0: all
}

// List returns executions, the newest first.
func (h *History) List(f Filter) []flow.Execution {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []flow.Execution
	for _, n := range slices.Backward(h.order) {
		x := h.entries[n]
		if x == nil || f.Deployment != "" && x.Deployment != f.Deployment || f.Flow != "" && x.Flow != f.Flow || f.Status != "" && x.Status != f.Status {
			continue
		}
		list = append(list, x.Execution)
		if len(list) == f.Limit {
			break
		}
	}
	return list
}

// Show returns an execution with its events, as far as they are kept.
func (h *History) Show(id string) (flow.Execution, []flow.ExecutionEvent, error) {
	h.flush()
	h.mu.Lock()
	n := h.numbers[id]
	e := h.entries[n]
	if e == nil {
		h.mu.Unlock()
		return flow.Execution{}, nil, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	x := e.Execution
	var files []string
	for _, s := range h.segments {
		if s.number >= e.first {
			files = append(files, s.path)
		}
	}
	h.mu.Unlock()
	var events []flow.ExecutionEvent
	for _, path := range files {
		_, _, err := readSegment(path, linesOf(n), func(r *record) {
			if r.N == n && r.Event != nil {
				events = append(events, *r.Event)
			}
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it may just have been removed
			return x, events, fmt.Errorf("history of flows: %w", err)
		}
	}
	return x, events, nil
}

// Delete forgets an execution that has ended.
func (h *History) Delete(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.numbers[id]
	x := h.entries[n]
	switch {
	case x == nil:
		return fmt.Errorf("%s: %w", id, ErrNotFound)
	case x.Status == flow.Running:
		return fmt.Errorf("%s runs; abort it first", id)
	}
	h.forget(n)
	h.enqueueLocked(record{N: n, Deleted: true})
	return nil
}

// forget takes an execution from the index. The lock is held.
func (h *History) forget(n uint64) {
	if x := h.entries[n]; x != nil {
		delete(h.numbers, x.ID)
		delete(h.entries, n)
	}
}

// Runs reports whether an execution is kept that has not ended.
func (h *History) Runs(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.entries[h.numbers[id]]
	return x != nil && x.Status == flow.Running
}

// Sync waits until what was recorded is on the disk.
func (h *History) Sync() {
	h.mu.Lock()
	h.strict = true
	h.mu.Unlock()
	h.flush()
}

// flush waits until what was recorded is written.
func (h *History) flush() {
	h.mu.Lock()
	written := h.done
	if !h.closed {
		written = make(chan struct{})
		h.waiters = append(h.waiters, written)
		put(h.hurry)
	}
	h.mu.Unlock()
	<-written
}
