package history

import (
	"errors"
	"os"
	"time"

	"pithings/flow"
)

// writer writes behind what is recorded.
type writer struct {
	h       *History
	f       *os.File // nil: none is open
	buf     []byte
	records int      // in buf
	begun   []uint64 // executions that begin in buf
	dirty   bool     // written and not synced
	torn    bool     // the segment may end in half a line, and is not gone on with
	retry   time.Time
}

// mostBuffer is how much memory for lines is kept, in bytes.
const mostBuffer = 256 << 10

// retryAfter is how long nothing is tried on a disk that failed.
const retryAfter = 5 * time.Second

func (w *writer) run() {
	defer close(w.h.done)
	ticker := time.NewTicker(w.h.o.SyncInterval)
	ticker.Stop() // it runs while there is something to sync
	defer ticker.Stop()
	w.retain()
	for {
		select {
		case r, ok := <-w.h.queue:
			if !ok {
				w.close()
				return
			}
			w.take(r)
			if r.flush == nil {
				w.gather()
			}
			for more := true; more && len(w.buf) < 1<<20; {
				select {
				case r, ok := <-w.h.queue:
					if !ok {
						w.close()
						return
					}
					w.take(r)
				default:
					more = false
				}
			}
			wasDirty := w.dirty
			w.write()
			if w.dirty && !wasDirty {
				ticker.Reset(w.h.o.SyncInterval)
			}
		case <-ticker.C:
			w.sync()
			ticker.Stop()
		}
	}
}

// behind is how long records wait for others to be written with them: a flow's
// events come close together, and it should have the processor for itself.
const behind = 20 * time.Millisecond

// gather waits a moment, unless somebody wants what is there, or there is much.
func (w *writer) gather() {
	timer := time.NewTimer(behind)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.h.hurry:
	}
}

// take takes a record from the queue.
func (w *writer) take(r record) {
	if r.flush != nil {
		w.write()
		close(r.flush)
		return
	}
	w.buf = appendLine(w.buf, &r)
	w.records++
	if r.Start != nil {
		w.begun = append(w.begun, r.N)
	}
	if len(w.buf) >= min(w.segmentSize()/4, mostBuffer/2) {
		w.write()
	}
}

func (w *writer) segmentSize() int { return int(min(w.h.o.MaxBytes/8, 4<<20)) }

// write writes what was taken.
func (w *writer) write() {
	if len(w.buf) == 0 {
		return
	}
	err := w.open()
	if err == nil {
		_, err = w.f.Write(w.buf)
	}
	h := w.h
	h.mu.Lock()
	if err != nil {
		for range w.records {
			h.lose(err)
		}
	} else {
		h.segments[len(h.segments)-1].size += int64(len(w.buf))
		w.dirty = true
	}
	for _, n := range w.begun {
		if x := h.entries[n]; x != nil {
			x.first = h.newest()
		}
	}
	h.mu.Unlock()
	if err != nil && w.f != nil {
		w.f.Close()
		w.f, w.torn, w.retry = nil, true, time.Now().Add(retryAfter)
	}
	w.buf, w.records, w.begun = w.buf[:0], 0, w.begun[:0]
	if cap(w.buf) > mostBuffer {
		w.buf = nil
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
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

func (w *writer) close() {
	w.write()
	w.sync()
	if w.f != nil {
		w.f.Close()
	}
}

// retain lets go of what is too much.
func (w *writer) retain() {
	h := w.h
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := time.Now().Add(-h.o.MaxAge)
	over := len(h.entries) - h.o.MaxExecutions
	kept := h.order[:0:len(h.order)]
	if over > 0 || len(h.order) > 2*len(h.entries)+64 || len(h.order) > 0 && h.tooOld(h.order[0], oldest) {
		for _, n := range h.order {
			x := h.entries[n]
			switch {
			case x == nil:
			case x.Status == flow.Running, over <= 0 && !x.Started.Before(oldest):
				kept = append(kept, n)
			default:
				h.forget(n)
				over--
			}
		}
		h.order = kept
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

func (h *History) tooOld(n uint64, oldest time.Time) bool {
	x := h.entries[n]
	return x == nil || x.Status != flow.Running && x.Started.Before(oldest)
}

// needed tells whether an execution that is kept begins in a segment. The lock is
// held.
func (h *History) needed(number int) bool {
	for _, n := range h.order {
		if x := h.entries[n]; x != nil {
			return x.first <= number // they are in order
		}
	}
	return false
}
