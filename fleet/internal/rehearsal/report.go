package rehearsal

import (
	"fmt"
	"strings"

	"pithings/fleet/internal/engine"
	"pithings/fleet/scenario"
)

// Report is what has come of a scenario.
type Report struct {
	Name       string  `json:"name"`
	Phases     []Phase `json:"phases"` // that have begun
	Faults     []Fault `json:"faults"`
	Bystanders Group   `json:"bystanders"` // devices that no fault hits
	Hit        Group   `json:"hit"`        // the others
}

// Phase is what has been done in a phase.
type Phase struct {
	Name      string            `json:"name"`
	Seconds   float64           `json:"seconds"`
	Connected int               `json:"connected"` // at its end
	Attempts  uint64            `json:"attempts"`
	Peak      float64           `json:"attemptsPerSecond"` // in the busiest second
	Sessions  uint64            `json:"sessions"`
	Lost      uint64            `json:"lost"`
	Published uint64            `json:"published"`
	Acked     uint64            `json:"acked"`
	Unacked   uint64            `json:"unacked"`
	Dropped   uint64            `json:"dropped"`
	Puback    engine.Latencies  `json:"pubackMilliseconds"`
	Errors    map[string]uint64 `json:"errors"`
}

// Fault is whom a fault has hit.
type Fault struct {
	Do      string  `json:"do"`
	Seconds float64 `json:"atSeconds"`
	Devices int     `json:"devices"`
	LetIn   *uint64 `json:"letIn,omitempty"` // sessions that the broker accepted, of bad-login and expire together
}

// Group is what some of the devices have done.
type Group struct {
	Devices   int    `json:"devices"`
	Published uint64 `json:"published"` // messages of the scenario
	Waiting   uint64 `json:"waiting"`   // of those, sent while an earlier one had no PUBACK
	Lost      uint64 `json:"lost"`      // sessions that ended by themselves
}

// Report returns what has come of the scenario so far.
func (r *Rehearsal) Report(e *engine.Engine) *Report {
	s := &Report{Name: r.plan.Name, Phases: []Phase{}, Faults: []Fault{}}
	marks := r.score.marksNow(e)
	for i := range max(len(marks)-1, 0) {
		s.Phases = append(s.Phases, phaseOf(r.plan.Phases[marks[i].phase].Name, &marks[i], &marks[i+1]))
	}
	for i, f := range r.plan.Faults {
		one := Fault{Do: f.Do.String(), Seconds: r.plan.From(i).Seconds(), Devices: r.plan.Count(i)}
		switch f.Do {
		case scenario.BadLogin:
			n := r.score.wrong.Load()
			one.LetIn = &n
		case scenario.Expire:
			n := r.score.expired.Load()
			one.LetIn = &n
		}
		s.Faults = append(s.Faults, one)
	}
	s.Bystanders, s.Hit = r.score.bystanders.group(), r.score.others.group()
	for _, hit := range r.score.hit {
		if hit {
			s.Hit.Devices++
		} else {
			s.Bystanders.Devices++
		}
	}
	return s
}

func (t *tally) group() Group {
	return Group{Published: t.Sent.Load(), Waiting: t.Waiting.Load(), Lost: t.Lost.Load()}
}

func phaseOf(name string, from, to *mark) Phase {
	a, b := &from.stats, &to.stats
	l := b.Latency.Since(&a.Latency)
	p := Phase{
		Name: name, Seconds: (to.at - from.at).Seconds(), Connected: b.Connected, Peak: from.peak,
		Attempts: b.Attempts - a.Attempts, Sessions: b.Sessions - a.Sessions, Lost: b.Lost - a.Lost,
		Published: b.Published - a.Published, Acked: b.Acked - a.Acked, Unacked: b.Unacked - a.Unacked, Dropped: b.Dropped - a.Dropped,
		Puback: l.Milliseconds(), Errors: map[string]uint64{},
	}
	for why, n := range b.Errors {
		if n -= a.Errors[why]; n > 0 {
			p.Errors[why] = n
		}
	}
	return p
}

// String is the report for people.
func (s *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nscenario       %s\n", s.Name)
	for i := range s.Phases {
		p := &s.Phases[i]
		fmt.Fprintf(&b, "%-14s %.4gs: %d connected at the end, %d of %d attempts accepted (at most %.4g/s), %d lost\n", p.Name, p.Seconds, p.Connected, p.Sessions, p.Attempts, p.Peak, p.Lost)
		fmt.Fprintf(&b, "%-14s %d published, %d acknowledged, %d not, PUBACK p50 %.3g ms p99 %.3g ms\n", "", p.Published, p.Acked, p.Unacked, p.Puback.P50, p.Puback.P99)
		for _, why := range engine.MostFirst(p.Errors) {
			fmt.Fprintf(&b, "%-14s error: %d × %s\n", "", p.Errors[why], why)
		}
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		fmt.Fprintf(&b, "%-14s at %.4gs, of %s", f.Do, f.Seconds, count(f.Devices, "device"))
		if f.LetIn != nil && *f.LetIn > 0 {
			fmt.Fprintf(&b, ": the broker LET IN %s", count(int(*f.LetIn), "session"))
		} else if f.LetIn != nil {
			b.WriteString(": the broker let none in")
		}
		b.WriteString("\n")
	}
	for _, g := range []struct {
		name string
		*Group
	}{{"bystanders", &s.Bystanders}, {"hit", &s.Hit}} {
		if g.Devices > 0 {
			fmt.Fprintf(&b, "%-14s %s: %d published, %d of them while an earlier one had no PUBACK, %d sessions lost\n", g.name, count(g.Devices, "device"), g.Published, g.Waiting, g.Lost)
		}
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
