package engine

import (
	"sync"
	"time"

	"pithings/flow"
)

// clock sets off a trigger at its interval. A tick that comes while the machine
// sleeps or is too slow is left out: ticks do not pile up.
type clock struct {
	d *deployed
	t *flow.Trigger

	mu      sync.Mutex
	timer   *time.Timer // nil when stopped, or not started yet
	began   time.Time   // with the monotonic clock
	armed   time.Time   // when the timer was set, with the monotonic clock
	next    time.Time   // the tick that is waited for
	stopped bool
}

// longestWait is how long a timer of the calendar sleeps before it looks at the
// wall clock again, which somebody may have set.
const longestWait = time.Hour

// settleTime is how much the wall clock may move against the monotonic one
// before the next tick of the calendar is sought anew.
const settleTime = time.Minute

func newClock(d *deployed, t *flow.Trigger) *clock {
	return &clock{d: d, t: t}
}

// byCalendar tells whether the ticks are at times of the wall clock.
func (c *clock) byCalendar() bool {
	switch c.t.Every.Unit {
	case flow.Seconds, flow.Minutes, flow.Hours:
		return false
	}
	return true
}

func (c *clock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.began = time.Now()
	c.seek(c.began)
	c.timer = time.AfterFunc(c.sleep(c.began), c.wake)
}

func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// seek finds the first tick after now.
func (c *clock) seek(now time.Time) {
	if !c.byCalendar() {
		length := c.t.Every.Length()
		passed := now.Sub(c.began) / length
		c.next = c.began.Add((passed + 1) * length)
		return
	}
	anchor := c.d.d.Deployed
	if anchor.IsZero() {
		anchor = c.began
	}
	c.next = after(c.t.Every, anchor, now)
}

// sleep notes the time and returns how long to wait.
func (c *clock) sleep(now time.Time) time.Duration {
	c.armed = now
	wait := c.next.Sub(now)
	if c.byCalendar() {
		// Round strips the monotonic reading, so that this is the wall clock's.
		wait = min(c.next.Round(0).Sub(now.Round(0)), longestWait)
	}
	return max(wait, time.Millisecond)
}

func (c *clock) wake() {
	now := time.Now()
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return
	}
	tick := !now.Before(c.next)
	if c.byCalendar() {
		moved := now.Round(0).Sub(c.armed.Round(0)) - now.Sub(c.armed)
		tick = !now.Round(0).Before(c.next.Round(0)) && moved.Abs() < settleTime
	}
	if tick || c.byCalendar() {
		c.seek(now)
	}
	c.timer.Reset(c.sleep(now))
	c.mu.Unlock()
	if tick {
		_ = fire(&occasion{d: c.d, trigger: c.t.Name, at: now}, c.t) // it is counted and logged
	}
}

// after returns the first anchor + n·every, n ≥ 1, behind now. Months and years
// that lack the anchor's day have it on their last day.
func after(every flow.Every, anchor, now time.Time) time.Time {
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
