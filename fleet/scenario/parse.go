package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/conf"
	"pithings/conf/suggest"
)

// Parse reads a scenario. The error is a *conf.Error with the line of each mistake.
func Parse(source string, text []byte) (*Scenario, error) {
	s := new(Scenario)
	conf.Fill(s)
	d := conf.NewDecoder(source, conf.Variables{})
	if doc := d.Document(text, "write a name, and at least one phase; pithings fleet scenario show has examples"); doc != nil {
		d.Struct(doc, s, "", "scenario")
		check(s, d.Report)
	}
	if _, err := d.Result(); err != nil {
		return nil, err
	}
	return s, nil
}

// check reports what no single key shows.
func check(s *Scenario, r *conf.Report) {
	r.Missing(s, "", "the scenario")
	if len(s.Name) > maxName {
		r.Bad("name", "name: it is longer than %d bytes", maxName)
	}
	checkRamp(r, "ramp", s.Ramp)
	checkTypes(s, r)
	if len(s.Phases) > MaxPhases {
		r.Bad("phases", "phases: there are %d, and at most %d are taken", len(s.Phases), MaxPhases)
		return
	}
	if len(s.Faults) > MaxFaults {
		r.Bad("faults", "faults: there are %d, and at most %d are taken", len(s.Faults), MaxFaults)
		return
	}
	starts := checkPhases(s, r)
	if len(starts) == 0 || len(starts) < len(s.Phases) {
		return
	}
	steps := len(s.Phases)
	for i := range s.Faults {
		f, path := &s.Faults[i], fmt.Sprintf("faults[%d]", i)
		checkFault(s, r, f, path, starts)
		n := 2
		if f.Every.Duration > 0 {
			n = f.times(s.length(starts))
		}
		if steps += n; steps > maxSteps {
			r.Bad(conf.Join(path, "every"), "every: with this one more than %d things are done; do it less often", maxSteps)
			return
		}
	}
}

// times is how often a fault is done again and again.
func (f *Fault) times(length time.Duration) int {
	span := f.For.Duration
	if span == 0 {
		span = length
	}
	return int((span-1)/f.Every.Duration) + 1
}

// length is the time of all phases; that of a last one without an end counts as none.
func (s *Scenario) length(starts []time.Duration) time.Duration {
	return starts[len(starts)-1] + s.Phases[len(starts)-1].For.Duration
}

func checkRamp(r *conf.Report, path string, ramp conf.Rate) {
	if ramp != 0 && (ramp < minRamp*(1-1e-9) || ramp > maxRamp) {
		r.Bad(path, "ramp: %s is out of range; from 1/h to %d/s", ramp, maxRamp)
	}
}

// maxParts bounds the parts of all types together.
const maxParts = 1000

func checkTypes(s *Scenario, r *conf.Report) {
	all := 0
	for _, name := range slices.Sorted(maps.Keys(s.Types)) {
		n, err := strconv.Atoi(s.Types[name])
		if err != nil || n < 0 || n > maxParts {
			r.Bad("types."+name, "%s: %s are no parts; write a number from 0 to %d", name, conf.Quote(s.Types[name]), maxParts)
			return
		}
		all += n
	}
	if len(s.Types) > 0 && (all == 0 || all > maxParts) {
		r.Bad("types", "types: they have %d parts together; from 1 to %d", all, maxParts)
	}
}

// checkPhases returns when each phase begins.
func checkPhases(s *Scenario, r *conf.Report) []time.Duration {
	starts, at := make([]time.Duration, len(s.Phases)), time.Duration(0)
	for i := range s.Phases {
		p, path := &s.Phases[i], fmt.Sprintf("phases[%d]", i)
		r.Missing(p, path, fmt.Sprintf("phase %d", i+1))
		switch {
		case p.Name != "" && !validName(p.Name):
			r.Bad(conf.Join(path, "name"), "name: %s; a phase is called by letters, digits, - and _, at most %d, and begins with a letter", conf.Quote(p.Name), maxName)
		case slices.ContainsFunc(s.Phases[:i], func(o Phase) bool { return o.Name == p.Name && p.Name != "" }):
			r.Bad(conf.Join(path, "name"), "name: another phase is called %s, too", conf.Quote(p.Name))
		}
		checkRamp(r, conf.Join(path, "ramp"), p.Ramp)
		if p.For.Duration == 0 && i < len(s.Phases)-1 {
			r.Bad(path, "phase %d has no for; only the last phase may last until Ctrl-C", i+1)
		}
		if starts[i], at = at, at+p.For.Duration; at > maxLength {
			r.Bad(conf.Join(path, "for"), "for: with this phase the scenario is longer than %s", conf.Duration{Duration: maxLength})
			return starts[:i+1]
		}
	}
	return starts
}

func validName(s string) bool {
	return len(s) <= maxName && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// checkFault reports what is wrong with a fault.
func checkFault(s *Scenario, r *conf.Report, f *Fault, path string, starts []time.Duration) {
	if !r.Given(conf.Join(path, "do")) { // else a wrong one has been reported
		r.Missing(f, path, "a fault")
	}
	bad := func(key, format string, args ...any) { r.Bad(conf.Join(path, key), key+": "+format, args...) }
	given := func(key string) bool { return r.Given(conf.Join(path, key)) }
	if f.At.Phase != "" {
		var names []string
		for _, p := range s.Phases {
			names = append(names, p.Name)
		}
		if !slices.Contains(names, f.At.Phase) {
			bad("at", "there is no phase %s%s", conf.Quote(f.At.Phase), suggest.From(f.At.Phase, names))
			return
		}
	}
	if s.Phases[len(starts)-1].For.Duration > 0 && f.start(s, starts) >= s.length(starts) {
		bad("at", "%s is behind the end of the scenario, which is at %s", f.At, conf.Duration{Duration: s.length(starts)})
	}
	if f.start(s, starts) > maxLength {
		bad("at", "%s is too late; at most %s", f.At, conf.Duration{Duration: maxLength})
	}
	if given("share") && given("devices") {
		bad("devices", "share says how many, too; give one of them")
	}
	if len(f.Group) > maxName {
		bad("group", "it is longer than %d bytes", maxName)
	}
	for key, of := range map[string]bool{"every": f.Do.pulse(), "rate": f.Do == Flood, "size": f.Do == Oversize} {
		if given(key) && !of && f.Do != None {
			bad(key, "it is not of %s; remove it", f.Do)
		}
	}
	if f.Do.pulse() && f.Every.Duration == 0 && f.For.Duration > 0 {
		bad("for", "%s is of a moment; write how often with every, or remove it", f.Do)
	}
	if f.Every.Duration > 0 && f.For.Duration == 0 && s.Phases[len(s.Phases)-1].For.Duration == 0 {
		bad("every", "write with for how long, because the scenario has no end")
	}
	if f.Rate != 0 && (f.Rate < 1 || f.Rate > maxFlood) {
		bad("rate", "%s is out of range; from 1/s to %d/s", f.Rate, maxFlood)
	}
}

// start is when a fault begins, from the start.
func (f *Fault) start(s *Scenario, starts []time.Duration) time.Duration {
	at := f.At.Offset
	for i, p := range s.Phases {
		if p.Name == f.At.Phase {
			at += starts[i]
		}
	}
	return at
}

// TypeList deals the types out: a list as the fleet takes it, in which each is as often as its parts
// say, and as evenly as can be. nil: there are none.
func (s *Scenario) TypeList() (list []string) {
	names := slices.Sorted(maps.Keys(s.Types))
	parts, all, given := make([]int, len(names)), 0, make([]int, len(names))
	for i, name := range names {
		parts[i], _ = strconv.Atoi(s.Types[name]) // Parse has looked at it
		all += parts[i]
	}
	for n := 1; n <= all; n++ {
		next, most := 0, -1.0
		for i := range names {
			if owed := float64(parts[i]*n)/float64(all) - float64(given[i]); owed > most {
				next, most = i, owed
			}
		}
		given[next]++
		list = append(list, names[next])
	}
	return list
}
