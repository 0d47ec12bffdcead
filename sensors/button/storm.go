package button

import "time"

// A line chatters when it has had so many edges within stormTime, more than any contact
// that people move, or when it had no rest for that long: slower than that, but too fast
// for the debounce time, it would never count and nothing would be reported.
const (
	stormEdges = 64
	stormTime  = time.Second
	// Then the line is left alone for restTime and tried for stormTime, in turns. It is
	// quiet when it has fewer edges than this in a try.
	restTime   = time.Second
	quietEdges = 8
)

// storm notices a line that does not come to rest.
//
//	calm ── too many edges, Chatter ──→ resting ── restTime ──→ trying
//	  ↑                                    ↑ quietEdges           │
//	  │                                    └──────────────────────┤
//	  └────────────── stormTime with fewer edges, Quiet ──────────┘
type storm struct {
	phase phase
	from  time.Time // of the phase; of the edges that are counted, when calm
	edges int       // since then
	run   time.Time // of the first of the edges without a rest in between
	last  time.Time // edge
}

type phase uint8

const (
	calm phase = iota
	resting
	trying
)

// change is what a step of storm changed.
type change uint8

const (
	same change = iota
	broke
	calmed
)

// step counts edges.
func (s *storm) step(now time.Time, edges int, rest time.Duration) change {
	switch s.phase {
	case calm:
		if now.Sub(s.from) >= stormTime {
			s.from, s.edges = now, 0
		}
		if s.edges += edges; edges == 0 {
			return same
		}
		if now.Sub(s.last) >= rest {
			s.run = now
		}
		s.last = now
		if s.edges >= stormEdges || now.Sub(s.run) >= stormTime {
			s.enter(resting, now)
			return broke
		}
	case resting:
		if now.Sub(s.from) >= restTime {
			s.enter(trying, now)
		}
	case trying:
		s.edges += edges
		switch {
		case s.edges >= quietEdges:
			s.enter(resting, now)
		case now.Sub(s.from) >= stormTime:
			s.enter(calm, now)
			return calmed
		}
	}
	return same
}

func (s *storm) enter(p phase, now time.Time) { *s = storm{phase: p, from: now} }

// rages reports whether the line's level means nothing.
func (s *storm) rages() bool { return s.phase != calm }

// rests reports whether the line is to be left alone.
func (s *storm) rests() bool { return s.phase == resting }

// next is when the phase ends if there are no more edges; ok is false when it does not.
func (s *storm) next() (at time.Time, ok bool) {
	switch s.phase {
	case resting:
		return s.from.Add(restTime), true
	case trying:
		return s.from.Add(stormTime), true
	}
	return time.Time{}, false
}
