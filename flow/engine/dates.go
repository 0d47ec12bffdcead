package engine

import (
	"time"

	"pithings/mqttlink/clock"
)

// moment is a time that can still be dated by the next process: by the clock that
// runs since boot, and by the wall clock if that was known.
type moment struct {
	Boot []byte        `json:"boot,omitempty"`
	Mono time.Duration `json:"mono,omitempty"`
	Time time.Time     `json:"time,omitzero"`
}

// span is a time that continues over restarts, of which some may have a boot that is
// never dated: then only what passed since such a boot began to count is known.
type span struct {
	Since moment `json:"since,omitzero"`
	Again moment `json:"again,omitzero"` // when a process took over that could not date since
}

// dates finds how long ago something was, also before a restart.
type dates struct {
	clock *clock.Clock
	wall  func() time.Time
}

// moment returns the present.
func (d dates) moment() (m moment) {
	if s := d.clock.Stamp(time.Time{}); s.Boot != [16]byte{} {
		m.Boot, m.Mono = s.Boot[:], s.Mono
	}
	if d.clock.Known() {
		m.Time = d.wall().Round(0)
	}
	return m
}

// age returns how long ago a moment was. It may become known later, when the clock is.
func (d dates) age(m moment) (time.Duration, bool) {
	if len(m.Boot) == 16 {
		if age, ok := d.clock.Age(clock.Stamp{Boot: [16]byte(m.Boot), Mono: m.Mono}); ok {
			return max(age, 0), true
		}
	}
	if m.Time.IsZero() || !d.clock.Known() {
		return 0, false
	}
	return max(d.wall().Round(0).Sub(m.Time), 0), true
}

// spanAge returns how long a span has lasted; exact is false if that may become better
// known with the clock.
func (d dates) spanAge(s *span) (age time.Duration, exact bool) {
	if age, ok := d.age(s.Since); ok {
		return age, true
	}
	age, _ = d.age(s.Again)
	return age, false
}

// takeOver has a span count from now on if nothing of it can be dated, and reports
// whether it did.
func (d dates) takeOver(s *span) bool {
	_, since := d.age(s.Since)
	_, again := d.age(s.Again)
	if since || again {
		return false
	}
	s.Again = d.moment()
	return true
}
