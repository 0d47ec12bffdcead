package rehearsal

import (
	"fmt"
	"strings"
	"time"

	"pithings/conf"
	"pithings/fleet/internal/engine"
	"pithings/fleet/scenario"
)

// Now begins a line with the phase under way, and how long it has lasted.
func (r *Rehearsal) Now(e *engine.Engine) string {
	phase, since := r.score.phase(e.Now())
	if phase == over {
		return ""
	}
	return fmt.Sprintf("%s %v: ", r.plan.Phases[phase].Name, since.Round(time.Second))
}

// Outline says in a few lines what a scenario will do with devices of some types at an endpoint, to which
// they publish so many messages of telemetry in a second, at most.
func Outline(p *scenario.Plan, types []string, endpoint string, rate float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s: %s (%s) at %s\n", p.Name, count(p.Size(), "device"), mixture(types), endpoint)
	for i, phase := range p.Phases {
		length := "until Ctrl-C"
		if phase.For.Duration > 0 {
			length = phase.For.String()
		}
		fmt.Fprintf(&b, "  %8s  %s, %s: %d connected, at most %.5g a second; telemetry every %v\n", span(p.Starts[i]), phase.Name, length, p.Connected(i), p.RampOf(i), span(p.IntervalOf(i)))
	}
	for i := range p.Faults {
		fault := &p.Faults[i]
		more := ""
		if fault.Every.Duration > 0 {
			more += " every " + fault.Every.String()
		}
		if fault.For.Duration > 0 {
			more += " for " + fault.For.String()
		}
		fmt.Fprintf(&b, "  %8s  %s%s: %s\n", span(p.From(i)), fault.Do, more, count(p.Count(i), "device"))
	}
	fmt.Fprintf(&b, "at most %.5g connections begun and %.5g messages published in a second, beside those with which a session begins\n", p.Peak().Ramp, rate)
	return b.String()
}

func span(d time.Duration) string { return conf.Duration{Duration: d}.String() }

// mixture is a list of types in few words.
func mixture(types []string) string {
	n, names := map[string]int{}, []string(nil)
	for _, t := range types {
		if n[t]++; n[t] == 1 {
			names = append(names, t)
		}
	}
	if len(names) > 1 && len(types) > len(names) {
		for i, name := range names {
			names[i] = fmt.Sprintf("%s %d", name, n[name])
		}
	}
	return strings.Join(names, ", ")
}
