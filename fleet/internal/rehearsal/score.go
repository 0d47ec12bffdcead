package rehearsal

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/scenario"
)

// score is what has happened in a scenario.
type score struct {
	hit        []bool // devices that a fault hits
	bystanders tally  // the others
	others     tally
	wrong      atomic.Uint64 // sessions accepted with a wrong password
	expired    atomic.Uint64 // sessions accepted with a certificate that has ended

	ended  context.Context // when it is done, sessions end because all does
	origin time.Duration   // the start, by the engine's clock

	mu      sync.Mutex
	marks   []mark
	sampled struct { // the last look at how fast devices connect
		at       time.Duration
		attempts uint64
	}
}

// tally counts what happens to some of the devices.
type tally struct {
	Sent    atomic.Uint64 // messages of the scenario
	Waiting atomic.Uint64 // of those, the ones that found an earlier one without a PUBACK
	Lost    atomic.Uint64 // sessions that ended by themselves
}

// mark is what had been done at the beginning of a phase, or at the end.
type mark struct {
	phase int           // or over
	at    time.Duration // from the start
	stats engine.Stats
	peak  float64 // connections begun in a second of the phase, at most
}

// over is what follows the last phase.
const over = -1

// sampleTime is between two looks at how fast devices connect.
const sampleTime = time.Second

func newScore(p *scenario.Plan, devices int) *score {
	s := &score{ended: context.Background(), hit: make([]bool, devices)}
	for f := range p.Faults {
		for i := range s.hit {
			s.hit[i] = s.hit[i] || p.Hits(f, i)
		}
	}
	return s
}

// begin notes the start. Sessions that end behind ctx are not lost.
func (s *score) begin(ctx context.Context, origin time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.origin, s.sampled.at = ctx, origin, 0
}

func (s *score) tally(bystander bool) *tally {
	if bystander {
		return &s.bystanders
	}
	return &s.others
}

// online notes that a device has a session.
func (s *score) online(is scenario.State) {
	if is&scenario.Wrong != 0 {
		s.wrong.Add(1)
	}
	if is&scenario.Expired != 0 {
		s.expired.Add(1)
	}
}

// offline notes that a session has ended, and whether it was meant to.
func (s *score) offline(bystander, meant bool) {
	if !meant && s.ended.Err() == nil {
		s.tally(bystander).Lost.Add(1)
	}
}

// sends notes a message, and how many more the device could send.
func (s *score) sends(bystander bool, free int) {
	t := s.tally(bystander)
	t.Sent.Add(1)
	if free < engine.Window {
		t.Waiting.Add(1)
	}
}

// enter notes that a phase begins, or that all is over.
func (s *score) enter(phase int, e *engine.Engine) {
	s.sample(e)
	stats := e.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, mark{phase: phase, at: e.Now() - s.origin, stats: stats})
}

// sample notes how fast devices connect.
func (s *score) sample(e *engine.Engine) {
	stats := e.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := e.Now() - s.origin
	since := now - s.sampled.at
	if since < sampleTime/2 { // too short for a rate
		return
	}
	if n := len(s.marks); n > 0 {
		m := &s.marks[n-1]
		m.peak = max(m.peak, float64(stats.Attempts-s.sampled.attempts)/since.Seconds())
	}
	s.sampled.at, s.sampled.attempts = now, stats.Attempts
}

// marksNow are the marks, with one of now behind a phase that is under way.
func (s *score) marksNow(e *engine.Engine) []mark {
	stats := e.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append([]mark(nil), s.marks...)
	if n := len(all); n > 0 && all[n-1].phase != over {
		all = append(all, mark{phase: over, at: e.Now() - s.origin, stats: stats})
	}
	return all
}

// phase is the one under way and how long it has lasted; over: there is none.
func (s *score) phase(now time.Duration) (phase int, since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.marks); n > 0 {
		return s.marks[n-1].phase, now - s.origin - s.marks[n-1].at
	}
	return over, 0
}
