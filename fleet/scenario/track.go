package scenario

import (
	"time"

	"pithings/fleet/internal/splitmix"
)

// Item is one message of a device.
type Item struct {
	At    time.Duration // when it is to be sent, at the earliest
	Every time.Duration // the interval; 0: it belongs to the next one
	What  Kind          // None: telemetry; Restart: the start event; else what is wrong with it
	Size  int           // bytes, of Oversize
}

// Track is what one device sends, message by message. It has no end but that of the plan.
type Track struct {
	p      *Plan
	device int
	step   int // the next one

	next     time.Duration // value of telemetry, by the interval alone
	quiet    time.Duration // until then there is no session, as planned
	interval time.Duration
	what     Kind
	size     int
	silent   bool
	absent   bool
	begun    bool // it has been there
	event    bool // its start event is next
	fresh    bool // its next value is the first of a session
}

// Track returns that of a device.
func (p *Plan) Track(device int) Track { return Track{p: p, device: device, absent: true} }

// Next returns the next message. Its time is Never when there are no more.
func (t *Track) Next() Item {
	for {
		edge := t.p.End
		if t.step < len(t.p.Steps) {
			edge = t.p.Steps[t.step].At
		}
		at := t.skip(edge)
		switch {
		case at >= edge && t.step < len(t.p.Steps):
			t.cross(&t.p.Steps[t.step])
			t.step++
		case at >= edge:
			return Item{At: Never}
		case t.event:
			t.event = false
			return Item{At: at, What: Restart}
		default:
			t.next = at + t.interval
			if t.fresh {
				t.fresh, t.next = false, at+time.Duration(float64(t.interval)*t.unit(2))
			}
			return Item{At: at, Every: t.interval, What: t.what, Size: t.size}
		}
	}
}

// skip returns when something is to be sent, or a time that is not before edge.
func (t *Track) skip(edge time.Duration) time.Duration {
	switch {
	case t.absent || t.step == 0:
		return edge
	case t.event:
		return max(t.quiet, t.p.Steps[t.step-1].At)
	case t.silent:
		t.next = onward(t.next, edge, t.interval)
		return edge
	}
	t.next = onward(t.next, t.quiet, t.interval)
	return t.next
}

// onward is the first of next, next+interval, … that is not before a time.
func onward(next, to, interval time.Duration) time.Duration {
	if next >= to || to == Never {
		return max(next, to)
	}
	return next + (to-next+interval-1)/interval*interval
}

// cross changes what the device does at a step.
func (t *Track) cross(s *Step) {
	p := t.p
	state := p.State(s, t.device)
	ramp := p.RampOf(s.Phase)
	was := t.absent
	t.absent = state != 0
	first := 0.0 // how many others connect before it
	t.silent, t.what, t.size = false, None, 0
	interval := p.IntervalOf(s.Phase)
	for _, f := range s.active {
		if p.Faults[f].Do.session() || !p.Hits(f, t.device) {
			continue
		}
		switch fault := &p.Faults[f]; fault.Do {
		case Silent:
			t.silent = true
		case Flood:
			interval = time.Duration(float64(time.Second) / fault.rate())
		default:
			t.what, t.size = fault.Do, 0
			if t.what == Oversize {
				t.size = fault.size()
			}
		}
	}
	if interval != t.interval {
		t.next = s.At + time.Duration(float64(interval)*t.unit(1))
		t.interval = interval
	}
	back := was && !t.absent
	if back {
		first = float64(t.device) * float64(p.returning(s)) / float64(p.n)
		t.quiet = s.At
	}
	for _, f := range s.Pulses {
		if t.absent || !p.Hits(f, t.device) {
			continue
		}
		first += p.hit[f].turn(t.device)
		t.quiet = max(t.quiet, s.At+takeover)
		t.event = t.event || p.Faults[f].Do == Restart && t.begun
	}
	t.quiet = max(t.quiet, s.At) + time.Duration(first/ramp*float64(time.Second))
	if back {
		// It sends at once, and then after a part of the interval of its own, so that devices that connect
		// together do not publish together for ever.
		t.event = t.event || !t.begun
		t.begun, t.fresh = true, true
		t.next = t.quiet
	}
}

// returning is how many devices come back at a step, at most.
func (p *Plan) returning(s *Step) int {
	n := p.there[s.Phase].count
	if s.At > 0 {
		before := p.PhaseAt(s.At - 1)
		n = max(n-p.there[before].count, 0)
	}
	for f := range p.Faults {
		if p.to[f] == s.At && p.Faults[f].Do.session() {
			n += p.hit[f].count
		}
	}
	return min(n, p.n)
}

// unit is a number in [0, 1) that follows from the seed, the device and the step.
func (t *Track) unit(of uint64) float64 {
	return splitmix.Unit(t.p.Seed ^ splitmix.Mix(uint64(t.device)<<32^uint64(t.step)<<8^of))
}
