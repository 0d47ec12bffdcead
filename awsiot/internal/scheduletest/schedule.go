// Package scheduletest runs random schedules of events against a state machine, and makes
// those that fail as short as it can.
package scheduletest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Run plays so many schedules, each of up to steps events made from its seed. An event is a
// random number, whose meaning is play's alone, so that a schedule without some of its events
// is one, too. play returns what does not hold.
func Run(t *testing.T, seeds, steps int, play func(events []uint64) error) {
	t.Helper()
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 15))
		events := make([]uint64, 1+r.IntN(steps))
		for i := range events {
			events[i] = r.Uint64()
		}
		if err := guarded(play, events); err != nil {
			events, err = shrink(play, events, err)
			text := ""
			for _, e := range events {
				text += fmt.Sprintf("%#x, ", e)
			}
			t.Fatalf("seed %d, shortened to %d events: %v\n[]uint64{%s}", seed, len(events), err, text)
		}
	}
}

// shrink leaves out events for as long as the schedule still fails.
func shrink(play func([]uint64) error, events []uint64, err error) ([]uint64, error) {
	for n := len(events) / 2; n > 0; {
		left := false
		for at := 0; at+n <= len(events); {
			fewer := slices.Delete(slices.Clone(events), at, at+n)
			if e := guarded(play, fewer); e != nil {
				events, err, left = fewer, e, true
			} else {
				at += n
			}
		}
		if !left || n > len(events) {
			n /= 2
		}
	}
	return events, err
}

func guarded(play func([]uint64) error, events []uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return play(events)
}
