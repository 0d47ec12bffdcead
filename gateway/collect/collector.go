package collect

import (
	"slices"
	"time"
)

// Round is the values of a group at one moment.
type Round struct {
	At      time.Time // of the poll, with its monotonic reading
	Group   string    // "" is a recall of all groups
	Samples []Sample  // in the order of the configuration
}

// Sample is the value of a variable at a poll.
type Sample struct {
	*Variable
	Value any       // what JSON can hold; nil: there is none
	Good  bool      // the thing works, and has a value for it
	At    time.Time // when it was reported; zero: never
}

// Collector has the latest value of each variable. It is for one goroutine at a time.
type Collector struct {
	vars   []*point
	groups []schedule
}

// point is a variable and what is known of it.
type point struct {
	Variable
	value any
	at    time.Time
	down  bool

	reported Sample // the last one that was handed over
}

// schedule is a group and when it is due.
type schedule struct {
	Group
	members []int     // variables of its rounds, and those that are computed at its polls
	poll    time.Time // the next one
	upload  time.Time // the next one is at the first poll from then on
}

// New returns a collector, whose groups begin now.
func New(groups []Group, now time.Time) *Collector {
	c := &Collector{}
	for _, g := range groups {
		if g.Type == Alarms {
			continue
		}
		c.groups = append(c.groups, schedule{Group: g, poll: now.Add(g.Polling.Duration), upload: now.Add(g.Upload.Duration)})
	}
	return c
}

// Add adds a variable and returns its index. One whose group is none of the collector's is
// in no round.
func (c *Collector) Add(v Variable) int {
	i := len(c.vars)
	c.vars = append(c.vars, &point{Variable: v})
	for j := range c.groups {
		if g := &c.groups[j]; v.Group == g.Name && (v.Mode != Never || v.Expression != "") {
			g.members = append(g.members, i)
		}
	}
	return i
}

// Next returns when Poll has to be called, or zero: never. A group without variables is
// not polled.
func (c *Collector) Next() (next time.Time) {
	for i := range c.groups {
		if g := &c.groups[i]; len(g.members) > 0 && (next.IsZero() || g.poll.Before(next)) {
			next = g.poll
		}
	}
	return next
}

// Set notes a value that a thing has reported, and returns it scaled. nil is that it could
// not be measured, as is a number that is infinite or none: JSON has none of them.
func (c *Collector) Set(i int, value any, at time.Time) any {
	p := c.vars[i]
	p.value, p.at = p.scale(value), at
	if !finite(p.value) {
		p.value = nil
	}
	return p.value
}

// SetDown notes whether the thing of a variable works.
func (c *Collector) SetDown(i int, down bool) { c.vars[i].down = down }

// Due reports whether Poll is about to sample a variable, so that it can be computed before.
func (c *Collector) Due(i int, now time.Time) bool {
	return slices.ContainsFunc(c.groups, func(g schedule) bool { return !g.poll.After(now) && slices.Contains(g.members, i) })
}

// Poll samples the groups that are due and returns the rounds that are to be handed over,
// in the order of the configuration. All have the time now. Polls that were missed are
// left out.
func (c *Collector) Poll(now time.Time) (rounds []Round) {
	for i := range c.groups {
		g := &c.groups[i]
		if g.poll.After(now) {
			continue
		}
		g.poll = after(g.poll, g.Polling.Duration, now)
		if g.upload.After(now) {
			continue
		}
		if g.Upload.Duration > 0 {
			g.upload = after(g.upload, g.Upload.Duration, now)
		}
		if r := c.round(g, now); len(r.Samples) > 0 {
			rounds = append(rounds, r)
		}
	}
	return rounds
}

// after returns the first moment of a series that lies after now.
func after(t time.Time, interval time.Duration, now time.Time) time.Time {
	return t.Add((now.Sub(t)/interval + 1) * interval)
}

func (c *Collector) round(g *schedule, now time.Time) Round {
	r := Round{At: now, Group: g.Name}
	for _, i := range g.members {
		p := c.vars[i]
		s := p.sample()
		if p.Mode == Never {
			continue // it is here to be computed, for alarms and other expressions
		}
		if p.Mode == OnChange && !p.changed(s) {
			continue
		}
		p.reported = s
		r.Samples = append(r.Samples, s)
	}
	return r
}

// Recall returns a round of the variables that wanted chooses, whatever their group.
func (c *Collector) Recall(now time.Time, wanted func(*Variable) bool) Round {
	r := Round{At: now}
	for i := range c.vars {
		if p := c.vars[i]; wanted == nil || wanted(&p.Variable) {
			r.Samples = append(r.Samples, p.sample())
		}
	}
	return r
}

// Find returns the indexes of the variables with a name, in one device or, with "", in all.
func (c *Collector) Find(device, name string) (all []int) {
	for i := range c.vars {
		if p := c.vars[i]; p.Name == name && (device == "" || p.Device == device) {
			all = append(all, i)
		}
	}
	return all
}

// At returns a variable and its latest value.
func (c *Collector) At(i int) Sample { return c.vars[i].sample() }

// Devices lists the devices in the order of their first variable.
func (c *Collector) Devices() (names []string) {
	for i := range c.vars {
		if d := c.vars[i].Device; !slices.Contains(names, d) {
			names = append(names, d)
		}
	}
	return names
}

func (p *point) sample() Sample {
	return Sample{Variable: &p.Variable, Value: p.value, Good: !p.down && p.value != nil, At: p.at}
}

// changed reports whether a sample is worth a report after the last one.
func (p *point) changed(s Sample) bool {
	was := p.reported
	if was.Variable == nil { // none yet: what has no value is none either
		return !s.At.IsZero()
	}
	return was.Good != s.Good || p.moved(was.Value, s.Value)
}
