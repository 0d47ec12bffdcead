package engine

import (
	"sync"
	"time"
)

// hold is the time for which the condition of a trigger has been true.
type hold struct {
	entry
	*trigger

	mu      sync.Mutex
	holds   bool // the condition is true
	started bool // and the flow was started for it
	since   span
	last    *occasion // the event that came last
}

func newHold(t *trigger) *hold {
	h := &hold{trigger: t}
	h.alarm = h
	return h
}

// start and stop are for what all triggers of time have; it starts with an event.
func (h *hold) start() {}
func (h *hold) stop()  { h.s.drop(&h.entry) }

// length is how long the condition has to hold.
func (h *hold) length() time.Duration { return h.t.Event.For }

// looked is called with each event of which the condition was computed.
func (h *hold) looked(o *occasion, holds bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !holds && h.holds:
		h.s.agenda.stop(&h.entry)
		h.holds, h.started, h.last = false, false, nil
		h.changed()
	case holds && !h.holds:
		h.holds, h.since, h.last = true, span{Since: h.s.moment()}, o
		h.s.after(&h.entry, h.length())
		h.changed()
	case holds && !h.started:
		h.last = o
		if h.length() >= h.s.shortest { // not worth a write each time: a kill costs the newer values
			h.s.memory.touch()
		}
	}
}

// ring implements alarm.
func (h *hold) ring(time.Time) {
	h.mu.Lock()
	o := h.last
	if !h.holds || h.started || o == nil {
		h.mu.Unlock()
		return
	}
	h.started, h.last = true, nil
	h.changed()
	h.mu.Unlock()
	_ = h.fire(o) // it is counted and logged
}

// reset implements alarm: the clock is known now, and with it how long the process
// was away.
func (h *hold) reset(time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age, ok := h.s.age(h.since.Since); ok && h.holds && !h.started {
		h.s.after(&h.entry, h.length()-age)
	}
}

// changed notes what is kept. The lock is held.
func (h *hold) changed() {
	if h.length() < h.s.shortest {
		return
	}
	h.s.note(func(*kept) {})
}

// kept implements holder.
func (h *hold) kept() (trigger string, one *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.holds || h.length() < h.s.shortest {
		return h.t.Name, nil
	}
	one = &held{span: h.since, Started: h.started}
	if h.last != nil {
		one.Event, one.At = values(h.last.event), h.last.at
	}
	return h.t.Name, one
}

// resume continues with what was kept.
func (h *hold) resume(one *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds, h.started, h.since = true, one.Started, one.span
	if h.started {
		return
	}
	h.last = h.happened(one.At, map[string]any(one.Event))
	if h.s.dates.takeOver(&h.since) {
		h.changed()
	}
	age, exact := h.s.spanAge(&h.since)
	if !exact {
		h.s.whenKnown(&h.entry)
	}
	h.s.after(&h.entry, h.length()-age)
}
