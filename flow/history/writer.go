package history

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"time"

	"pithings/flow"
	"pithings/mqttlink/durable"
)

// lines are records as they are written.
type lines struct {
	b       []byte
	begun   []begun // executions that begin in b
	records int     // of which b was made
}

// begun is where an execution begins.
type begun struct {
	n  uint64
	at int
}

// writer writes behind what is recorded.
type writer struct {
	h     *History
	f     *os.File // nil: none is open
	lines lines    // not written yet
	spare []record
	dirty bool // written and not synced
	torn  bool // the segment may end in half a line, and is not gone on with
	retry time.Time
}

const (
	// behind is how long records wait for others to be written with them.
	behind = 20 * time.Millisecond
	// atOnce is how much is written at a time, if lines are not longer, in bytes.
	atOnce = 64 << 10
	// mostBuffer is how much memory for lines is kept, in bytes.
	mostBuffer = 256 << 10
	// retryAfter is how long nothing is tried on a disk that failed.
	retryAfter = 5 * time.Second
)

func (w *writer) run() {
	h := w.h
	defer close(h.done)
	due := time.NewTimer(behind)
	due.Stop() // it runs while something waits
	defer due.Stop()
	ticker := time.NewTicker(h.o.SyncInterval)
	ticker.Stop() // it runs while there is something to sync
	defer ticker.Stop()
	w.retain()
	for {
		wasDirty := w.dirty
		select {
		case <-h.work:
			due.Reset(behind)
		case <-h.ended:
			// Lines are made now: what has just ended is in no hurry any more, and something
			// else may be when all of it is written.
			w.encode()
		case <-due.C:
			w.writeAll()
		case <-h.hurry:
			w.writeAll()
		case <-ticker.C:
			w.sync()
			ticker.Stop()
		case <-h.quit:
			w.writeAll()
			w.sync()
			if w.f != nil {
				w.f.Close()
			}
			return
		}
		if w.dirty && !wasDirty {
			ticker.Reset(h.o.SyncInterval)
		}
	}
}

// encode makes lines of what is in the queue.
func (w *writer) encode() {
	h, l := w.h, &w.lines
	h.mu.Lock()
	queue := h.queue
	h.queue = w.spare[:0]
	h.mu.Unlock()
	for i := range queue {
		r := &queue[i]
		if r.Start != nil {
			l.begun = append(l.begun, begun{r.N, len(l.b)})
		}
		l.b = appendLine(l.b, r)
	}
	l.records += len(queue)
	clear(queue)
	w.spare = queue[:0]
}

// writeAll writes what was recorded until now.
func (w *writer) writeAll() {
	h, l := w.h, &w.lines
	h.mu.Lock()
	waiters, strict := h.waiters, h.strict
	h.waiters, h.logged, h.strict = nil, false, false
	h.mu.Unlock()
	w.encode()
	for from, done := 0, 0; from < len(l.b); {
		to, next := w.part(l.b, from), done
		for next < len(l.begun) && l.begun[next].at < to {
			next++
		}
		w.write(l.b[from:to], l.begun[done:next])
		from, done = to, next
	}
	if strict {
		w.sync()
	}
	h.mu.Lock()
	h.waiting -= l.records
	h.mu.Unlock()
	for _, c := range waiters {
		close(c)
	}
	if cap(l.b) > mostBuffer {
		l.b = nil
	}
	*l = lines{b: l.b[:0], begun: l.begun[:0]}
}

// part returns the end of the lines from one on that are written at once: whole ones,
// and not much more than a segment takes.
func (w *writer) part(b []byte, from int) (to int) {
	most := min(w.segmentSize()/4, atOnce)
	if len(b)-from <= most {
		return len(b)
	}
	if n := bytes.LastIndexByte(b[from:from+most], '\n'); n >= 0 {
		return from + n + 1
	}
	return from + most + bytes.IndexByte(b[from+most:], '\n') + 1
}

func (w *writer) segmentSize() int { return int(min(w.h.o.MaxBytes/8, 4<<20)) }

// write writes lines.
func (w *writer) write(b []byte, begun []begun) {
	err := w.open()
	if err == nil {
		_, err = w.f.Write(b)
	}
	h := w.h
	h.mu.Lock()
	if err != nil {
		for range bytes.Count(b, []byte{'\n'}) {
			h.lose(err)
		}
	} else {
		h.segments[len(h.segments)-1].size += int64(len(b))
		w.dirty = true
	}
	for _, x := range begun {
		if x := h.entries[x.n]; x != nil {
			x.first = h.newest()
		}
	}
	h.mu.Unlock()
	if err != nil && w.f != nil {
		w.f.Close()
		w.f, w.torn, w.retry = nil, true, time.Now().Add(retryAfter)
	}
	w.retain()
}

// open sees to it that a segment with room is open.
func (w *writer) open() error {
	h := w.h
	h.mu.Lock()
	number := h.newest()
	fresh := number == 0 || w.torn || h.segments[len(h.segments)-1].size >= int64(w.segmentSize())
	h.mu.Unlock()
	if w.f != nil && !fresh {
		return nil
	}
	if time.Now().Before(w.retry) {
		return errors.New("the disk failed a moment ago")
	}
	w.sync()
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if fresh {
		number++
	}
	path := segmentPath(h.dir, number)
	f, err := durable.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		w.retry = time.Now().Add(retryAfter)
		return err
	}
	w.f, w.torn = f, false
	if fresh {
		h.mu.Lock()
		h.segments = append(h.segments, segment{number: number, path: path})
		h.mu.Unlock()
	}
	return nil
}

func (w *writer) sync() {
	if w.dirty && w.f != nil {
		if err := w.f.Sync(); err != nil {
			w.h.mu.Lock()
			w.h.lose(err)
			w.h.mu.Unlock()
		}
	}
	w.dirty = false
}

// retain lets go of what is too much.
func (w *writer) retain() {
	h := w.h
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := time.Now().Add(-h.o.MaxAge)
	over := len(h.entries) - h.o.MaxExecutions
	done, running := 0, []uint64(nil)
	for ; done < len(h.order); done++ {
		n := h.order[done]
		x := h.entries[n]
		if x == nil {
			continue
		}
		if over <= 0 && !x.Started.Before(oldest) {
			break
		}
		if x.Status == flow.Running {
			running = append(running, n)
			continue
		}
		h.forget(n)
		over--
	}
	done -= copy(h.order[done-len(running):], running)
	h.order = h.order[done:]
	if len(h.order) > 2*len(h.entries)+64 { // behind one that runs for long
		h.order = slices.DeleteFunc(h.order, func(n uint64) bool { return h.entries[n] == nil })
	}
	total := int64(0)
	for _, s := range h.segments {
		total += s.size
	}
	for len(h.segments) > 1 {
		s := h.segments[0]
		if total <= h.o.MaxBytes && h.needed(s.number) {
			return
		}
		if err := os.Remove(s.path); err != nil && !os.IsNotExist(err) {
			return // tried again after the next write
		}
		for _, n := range h.order {
			if x := h.entries[n]; x != nil && x.first <= s.number {
				h.forget(n)
			}
		}
		total -= s.size
		h.segments = append([]segment(nil), h.segments[1:]...)
	}
}

// needed reports whether an execution that is kept begins in a segment. The lock is
// held.
func (h *History) needed(number int) bool {
	for _, n := range h.order {
		if x := h.entries[n]; x != nil {
			return x.first <= number // they are in order
		}
	}
	return false
}
