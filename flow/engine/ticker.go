package engine

import (
	"time"

	"pithings/flow"
)

// ticker sets off a trigger at its interval. A tick that comes while the machine
// sleeps or is too slow is left out: ticks do not pile up.
type ticker struct {
	entry
	*trigger
	began time.Time // with the monotonic clock
}

func newTicker(t *trigger) *ticker {
	c := &ticker{trigger: t}
	c.alarm = c
	return c
}

// byCalendar reports whether the ticks are at times of the wall clock.
func (c *ticker) byCalendar() bool { return !monotonic(c.t.Every) }

func (c *ticker) start() {
	c.began = time.Now()
	if c.byCalendar() {
		c.reset(c.s.agenda.wall())
		return
	}
	c.s.after(&c.entry, c.t.Every.Length())
}

func (c *ticker) stop() { c.s.drop(&c.entry) }

// reset implements alarm: it finds the first tick after now.
func (c *ticker) reset(now time.Time) {
	if !c.byCalendar() {
		return
	}
	next := time.Time{}
	if c.s.known() {
		next = nextTick(c.t.Every, c.anchor(now), now)
	}
	c.s.at(&c.entry, next)
}

// ring implements alarm.
func (c *ticker) ring(now time.Time) {
	if c.byCalendar() {
		c.reset(now)
	} else {
		now = time.Now()
		length := c.t.Every.Length()
		passed := now.Sub(c.began)
		c.s.after(&c.entry, (passed/length+1)*length-passed)
	}
	_ = c.fire(c.now(now)) // it is counted and logged
}

// anchor is what a clock of the calendar counts from: when the flow was deployed, or, if
// its file does not say that, the first start, which is kept.
func (c *ticker) anchor(now time.Time) time.Time {
	deployed, m := c.s.d.Deployed, c.s.memory
	if !deployed.IsZero() {
		return deployed
	}
	if m == nil {
		return now
	}
	key := c.t.Name + " " + c.t.Every.String()
	m.mu.Lock()
	began, ok := m.state.Began[key]
	m.mu.Unlock()
	if !ok {
		began = now.Round(0)
		m.change(func(k *kept) { k.Began = put(k.Began, key, began) })
	}
	return began
}

// nextTick returns the first anchor + n·every, n ≥ 1, behind now. Months and years
// that lack the anchor's day have it on their last day.
func nextTick(every flow.Every, anchor, now time.Time) time.Time {
	if length := every.Length(); length > 0 {
		anchor, now := anchor.Round(0), now.Round(0)
		n := max(now.Sub(anchor)/length, 0)
		at := anchor.Add((n + 1) * length)
		return at
	}
	months := every.Count
	if every.Unit == flow.Years {
		months *= 12
	}
	passed := (now.Year()-anchor.Year())*12 + int(now.Month()) - int(anchor.Month())
	for n := max(passed/months-1, 0) + 1; ; n++ {
		if at := addMonths(anchor, n*months); at.After(now) {
			return at
		}
	}
}

func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
