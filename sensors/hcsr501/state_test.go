package hcsr501

import (
	"testing"
	"time"
)

// FuzzState feeds samples at any times: events must come in order, in pairs, and
// agree with the line in the end.
func FuzzState(f *testing.F) {
	f.Add([]byte{0x81, 0x01, 0xFF, 0x7F, 0x80, 0x00}, uint8(5), uint8(0), uint8(0), uint8(0))
	f.Add([]byte{0x85, 0x84, 0x03, 0x90, 0x20, 0xFF, 0xFF}, uint8(5), uint8(30), uint8(20), uint8(100))
	f.Add([]byte{0x80, 0x00, 0x80, 0x00}, uint8(0), uint8(1), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, samples []byte, debounce, hold, warmUp, stuckHigh uint8) {
		unit := 10 * time.Millisecond
		now := time.Unix(1e9, 0)
		opts := Opts{
			Debounce: time.Duration(debounce) * unit, Hold: time.Duration(hold) * unit,
			StuckHigh: time.Duration(stuckHigh) * unit,
		}
		ready := now.Add(time.Duration(warmUp) * unit)
		var (
			last          Event
			motion, stuck bool
		)
		s := state{opts: opts, ready: ready}
		s.tell = func(e Event) {
			if e.Time.Before(last.Time) || e.Time.After(now) {
				t.Errorf("%s at %s after %s at %s, now %s", e.Kind, e.Time, last.Kind, last.Time, now)
			}
			wrong := false
			switch e.Kind {
			case Began:
				wrong, motion = motion || e.Time.Before(ready), true
			case Ended:
				wrong, motion = !motion, false
			case Stuck:
				wrong, stuck = stuck || !motion, true
			case Unstuck:
				wrong, stuck = !stuck, false
			}
			if wrong {
				t.Errorf("%s after %s", e.Kind, last.Kind)
			}
			last = e
		}
		s.start(now)
		// Each sample: the highest bit is the level, the rest how long after
		// the last one.
		high := false
		for _, b := range samples {
			now = now.Add(time.Duration(b&0x7F) * unit)
			high = b&0x80 != 0
			s.step(now, high)
		}
		// A line that rests settles: next names a finite number of times.
		for i := 0; ; i++ {
			at, ok := s.next()
			if !ok {
				break
			}
			if i == 10 {
				t.Fatal("it does not settle")
			}
			if at.After(now) {
				now = at
			}
			s.step(now, high)
		}
		if motion != high {
			t.Errorf("motion is %t at the end, the line %t", motion, high)
		}
		if stuck && !high {
			t.Error("a low line is stuck high")
		}
	})
}

func BenchmarkStep(b *testing.B) {
	b.ReportAllocs()
	s := state{opts: DefaultOpts, tell: func(Event) {}}
	now := time.Now()
	s.start(now)
	for i := 0; b.Loop(); i++ {
		now = now.Add(20 * time.Millisecond)
		s.step(now, i&8 != 0)
		s.next()
	}
}
