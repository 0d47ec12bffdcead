package scenario

import (
	"cmp"
	"fmt"
	"math"
	"sort"
	"time"
)

// Never is a time that does not come.
const Never = time.Duration(math.MaxInt64)

// Plan is a scenario for so many devices with a seed. All times are from its start.
type Plan struct {
	*Scenario
	Seed   uint64
	Starts []time.Duration // of each phase
	End    time.Duration   // Never: there is none
	Steps  []Step          // in order; the first is that of the start

	n     int
	there []among // in each phase
	hit   []among // by each fault
	from  []time.Duration
	to    []time.Duration // of each fault; Never: to the end
}

// Step is a moment at which something begins or ends.
type Step struct {
	At      time.Duration
	Phase   int   // that holds from here on
	Pulses  []int // faults of this moment: break, reconnect, restart
	Session bool  // sessions begin or end, and not messages alone

	active []int // faults that hold from here on
}

// State is what a device's session is to be.
type State uint8

// What a device may be, together.
const (
	Away    State = 1 << iota // it has no session
	Wrong                     // it logs in with a wrong password
	Expired                   // its certificate has ended
)

// NewPlan plans a scenario for so many devices.
func NewPlan(s *Scenario, devices int, seed uint64) (*Plan, error) {
	p := &Plan{Scenario: s, Seed: seed, n: devices}
	at := time.Duration(0)
	there := newOrder(devices, keyOf(seed, "connected"))
	for _, phase := range s.Phases {
		p.Starts = append(p.Starts, at)
		p.there = append(p.there, among{there, phase.Connected.Of(devices)})
		at += phase.For.Duration
	}
	if p.End = at; s.Phases[len(s.Phases)-1].For.Duration == 0 {
		p.End = Never
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		group, count := fmt.Sprintf("fault %d", i), f.Share.Of(devices)
		if f.Group != "" {
			group = "group " + f.Group
		}
		if f.Devices > devices {
			return nil, fmt.Errorf("%s at %s is to hit %d devices, and there are %d", f.Do, f.At, f.Devices, devices)
		}
		if f.Devices > 0 {
			count = f.Devices
		}
		p.hit = append(p.hit, among{newOrder(devices, keyOf(seed, group)), count})
		from, to := f.start(s, p.Starts), Never
		if f.For.Duration > 0 {
			to = from + f.For.Duration
		}
		p.from, p.to = append(p.from, from), append(p.to, to)
	}
	p.step()
	return p, nil
}

// step makes the steps.
func (p *Plan) step() {
	all := map[time.Duration]*Step{}
	at := func(t time.Duration) *Step {
		if t >= p.End && t > 0 {
			return &Step{} // of no use any more
		}
		if all[t] == nil {
			all[t] = &Step{At: t}
		}
		return all[t]
	}
	for _, t := range p.Starts {
		at(t).Session = true
	}
	for i := range p.Faults {
		f := &p.Faults[i]
		from, to := at(p.from[i]), at(p.to[i])
		from.Session, to.Session = from.Session || f.Do.session(), to.Session || f.Do.session()
		if !f.Do.pulse() {
			continue
		}
		from.Pulses = append(from.Pulses, i)
		for n := 1; f.Every.Duration > 0 && n < f.times(p.End-p.from[i]); n++ {
			again := at(p.from[i] + time.Duration(n)*f.Every.Duration)
			again.Session, again.Pulses = true, append(again.Pulses, i)
		}
	}
	for _, s := range all {
		p.Steps = append(p.Steps, *s)
	}
	sort.Slice(p.Steps, func(i, j int) bool { return p.Steps[i].At < p.Steps[j].At })
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Phase = p.PhaseAt(s.At)
		for f := range p.Faults {
			if !p.Faults[f].Do.pulse() && p.from[f] <= s.At && s.At < p.to[f] {
				s.active = append(s.active, f)
			}
		}
	}
}

// Size returns for how many devices the plan is.
func (p *Plan) Size() int { return p.n }

// PhaseAt is the phase at a time; behind the end it is the last.
func (p *Plan) PhaseAt(at time.Duration) int {
	for i := len(p.Starts) - 1; i > 0; i-- {
		if p.Starts[i] <= at {
			return i
		}
	}
	return 0
}

// Hits reports whether a fault hits a device.
func (p *Plan) Hits(fault, device int) bool { return p.hit[fault].has(device) }

// Count returns how many devices a fault hits.
func (p *Plan) Count(fault int) int { return p.hit[fault].count }

// Connected returns how many devices are there in a phase, but for faults.
func (p *Plan) Connected(phase int) int { return p.there[phase].count }

// From returns when a fault begins.
func (p *Plan) From(fault int) time.Duration { return p.from[fault] }

// State returns what a device's session is to be from a step on.
func (p *Plan) State(s *Step, device int) (is State) {
	if !p.there[s.Phase].has(device) {
		is = Away
	}
	for _, f := range s.active {
		is |= p.stateOf(f, device)
	}
	return is
}

func (p *Plan) stateOf(fault, device int) State {
	is := State(0)
	switch p.Faults[fault].Do {
	case Leave:
		is = Away
	case BadLogin:
		is = Wrong
	case Expire:
		is = Expired
	}
	if is == 0 || !p.Hits(fault, device) {
		return 0
	}
	return is
}

// RampOf returns how many connections are begun in a second of a phase.
func (p *Plan) RampOf(phase int) float64 {
	if r := p.Phases[phase].Ramp; r > 0 {
		return float64(r)
	}
	return float64(p.Ramp)
}

// IntervalOf returns the time between two values of telemetry in a phase.
func (p *Plan) IntervalOf(phase int) time.Duration {
	return cmp.Or(p.Phases[phase].Interval.Duration, p.Interval.Duration)
}

// Load is what a scenario asks of a broker at most.
type Load struct {
	Ramp     float64 // connections begun in a second
	Messages float64 // published in a second
	Bytes    float64 // of payloads that are too large, in a second
	Total    float64 // messages from the beginning to the end, or in a day if there is none
}

// Peak returns a bound of what is asked of a broker.
func (p *Plan) Peak() (most Load) {
	for i := range p.Steps {
		s := &p.Steps[i]
		interval := p.IntervalOf(s.Phase).Seconds()
		now := Load{Ramp: p.RampOf(s.Phase), Messages: float64(p.Connected(s.Phase)) / interval}
		flood := 0.0
		for _, f := range s.active {
			if p.Faults[f].Do == Flood {
				flood += float64(p.Count(f)) * p.Faults[f].rate()
			}
		}
		for _, f := range s.active {
			if p.Faults[f].Do == Oversize {
				now.Bytes += float64(p.Faults[f].size()) * (float64(p.Count(f))/interval + flood)
			}
		}
		now.Messages += flood
		end := p.End
		if i+1 < len(p.Steps) {
			end = p.Steps[i+1].At
		} else if end == Never {
			end = s.At + 24*time.Hour
		}
		most.Total += now.Messages * (end - s.At).Seconds()
		most.Ramp, most.Messages, most.Bytes = max(most.Ramp, now.Ramp), max(most.Messages, now.Messages), max(most.Bytes, now.Bytes)
	}
	return most
}

func (f *Fault) rate() float64 {
	if f.Rate > 0 {
		return float64(f.Rate)
	}
	return defaultFlood
}

func (f *Fault) size() int {
	return int(cmp.Or(f.Size, defaultSize))
}
