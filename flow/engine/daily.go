package engine

import (
	"time"

	"pithings/flow"
	"pithings/flow/sun"
)

// daily sets off a trigger at a moment of the day.
type daily struct {
	entry
	*trigger
	loc  *time.Location
	next time.Time // that is waited for
	ran  time.Time // the last one that needs no run any more, or had it
}

func newDaily(t *trigger, loc *time.Location) *daily {
	c := &daily{trigger: t, loc: loc}
	c.alarm = c
	return c
}

func (c *daily) start() { c.reset(c.s.agenda.wall()) }
func (c *daily) stop()  { c.s.drop(&c.entry) }

// reset implements alarm: it makes up for what was missed, if it may, and finds the
// next moment.
func (c *daily) reset(now time.Time) {
	if !c.s.known() {
		c.s.at(&c.entry, time.Time{})
		return
	}
	if late := c.t.At.CatchUp; late > 0 {
		if c.ran.IsZero() {
			c.ran = c.lastRun(now)
		}
		if missed, ok := c.first(now.Add(-late)); ok && !missed.After(now) && missed.After(c.ran) {
			c.run(missed, now)
			return
		}
	}
	c.seek(now)
}

// lastRun is the moment of the day up to which nothing is made up for: the last that ran,
// or when the trigger was deployed.
func (c *daily) lastRun(now time.Time) time.Time {
	ran := now
	if m := c.s.memory; m != nil {
		m.mu.Lock()
		at, ok := m.state.Ran[c.t.Name]
		m.mu.Unlock()
		if ok {
			ran = at
		} else {
			m.change(func(k *kept) { k.Ran = put(k.Ran, c.t.Name, now.Round(0)) })
		}
	}
	if deployed := c.s.d.Deployed; deployed.After(ran) {
		ran = deployed
	}
	return ran
}

// ring implements alarm.
func (c *daily) ring(now time.Time) { c.run(c.next, now) }

// run runs the flow for a moment, and waits for the next one.
func (c *daily) run(moment, now time.Time) {
	c.ran = moment
	if c.t.At.CatchUp > 0 {
		c.s.note(func(k *kept) { k.Ran = put(k.Ran, c.t.Name, moment) })
	}
	c.seek(now)
	_ = c.fire(c.now(now)) // it is counted and logged
}

// seek waits for the first moment after now, on a day that has not had its own: the
// clock may have been set back.
func (c *daily) seek(now time.Time) {
	next, ok := c.first(now)
	for ok && !c.ran.IsZero() && !next.After(c.ran) {
		next, ok = c.first(next)
	}
	if !ok {
		next = time.Time{}
	}
	c.next = next
	if c.t.At.Sun != "" && (!ok || next.Sub(now) > 36*time.Hour && c.t.At.Days == 0) {
		c.logRare("polar", "no sunrise or sunset for more than a day, trigger waits", "at", c.t.At.Sun, "next", next)
	}
	c.s.at(&c.entry, next)
}

func (c *daily) first(after time.Time) (time.Time, bool) { return nextMoment(c.t.At, c.loc, after) }

// farthest is how many days ahead a moment is looked for: a polar night ends within
// half a year, and each day of the week comes within seven of the days that have one.
const farthest = 400

// nextMoment returns the first moment after a time.
func nextMoment(a *flow.At, loc *time.Location, after time.Time) (time.Time, bool) {
	year, month, day := after.In(loc).Date()
	for n := -1; n < farthest; n++ { // an offset may bring yesterday's event into today
		date := time.Date(year, month, day+n, 12, 0, 0, 0, time.UTC) // for its date alone
		if !a.Days.Has(date.Weekday()) {
			continue
		}
		if at, ok := momentOf(a, loc, date); ok && at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

// momentOf returns the moment of a date.
func momentOf(a *flow.At, loc *time.Location, date time.Time) (time.Time, bool) {
	year, month, day := date.Date()
	find := sun.Rise
	switch a.Sun {
	case "":
		return wallTime(year, month, day, a.Time, loc)
	case flow.Sunset:
		find = sun.Set
	}
	at, ok := find(year, month, day, a.Lat, a.Lon)
	return at.Add(a.Offset), ok
}

// wallTime returns when the clocks of a zone show a time of a date: the first time if
// they do twice, and the end of the gap if they never do. ok is false if the zone leaves
// out the whole date.
func wallTime(year int, month time.Month, day int, clock time.Duration, loc *time.Location) (at time.Time, ok bool) {
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Add(clock)
	at = time.Date(year, month, day, 0, 0, int(clock/time.Second), 0, loc)
	// What the clock shows at a moment, as if it were in UTC.
	shows := func(t time.Time) time.Time {
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	begins, ends := at.ZoneBounds()
	if shown := shows(at); !shown.Equal(want) { // a gap: time.Date took the offset of one of its sides
		at = ends
		if shown.After(want) {
			at = begins
		}
		y, m, d := at.Date()
		return at, y == year && m == month && d == day
	}
	if !begins.IsZero() {
		_, before := begins.Add(-time.Second).In(loc).Zone()
		_, now := at.Zone()
		if earlier := at.Add(time.Duration(now-before) * time.Second); earlier.Before(begins) && shows(earlier).Equal(want) {
			at = earlier
		}
	}
	return at, true
}
