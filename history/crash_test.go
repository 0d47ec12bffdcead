package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// life is what a process does with a history until it is ended in front of one of its operations
// on files.
type life struct {
	p    *platter
	s    *series
	now  int64
	done bool
	died int64 // when the second process ended without a word; 0: it has not
}

// crashEvery is the distance of the readings, in seconds. begun is a multiple of it.
const crashEvery = 60

// steady is a value that says of which second it is.
func steady(at int64) float64 { return float64(at%100_000) / 8 }

// run is three processes: one that ends in order in the middle of its pages, one that ends
// without a word, and one more; the first pages of the rings are written over.
func (l *life) run() {
	ticks := func(from int64) int64 { return from + int64(Tick/time.Second) }
	for round, seconds := range []int64{26*3600 + 100, 5 * 3600, 5 * 3600} {
		l.s = newSeries(l.p)
		if l.s.open(l.now) != nil || l.p.what != "" {
			return
		}
		next := ticks(l.now)
		for end := l.now + seconds; l.now < end; l.now += crashEvery {
			if l.now >= next {
				l.s.tick()
				next = ticks(next)
			}
			if l.s.add(l.now, steady(l.now)); l.s.flush() != nil || l.p.what != "" {
				return
			}
		}
		if round == 1 {
			l.died = l.now
		} else if l.s.close() != nil {
			return
		}
	}
	l.done = true
}

// look opens what is left as the next process does, and reads it.
func (l *life) look(t *testing.T, p *platter, power bool) {
	t.Helper()
	// Readers without the owner find all that is promised, too, but for minutes and hours that are
	// computed again.
	for _, reopened := range []bool{false, true} {
		s := newSeries(p)
		tiers := []tier{raw}
		if reopened {
			if err := s.open(l.now); err != nil {
				t.Fatalf("before %s: %v", l.p.what, err)
			}
			if err := s.close(); err != nil {
				t.Fatalf("before %s: %v", l.p.what, err)
			}
			tiers = []tier{raw, minutes, hours}
		}
		f, err := openFile(p, s.name)
		if err != nil {
			if l.now-begun > 3600 {
				t.Fatalf("before %s: %v", l.p.what, err)
			}
			return // it was not made yet
		}
		for _, which := range tiers {
			l.lookAt(t, f, which, power)
		}
	}
}

func (l *life) lookAt(t *testing.T, f *File, which tier, power bool) {
	t.Helper()
	lay := layouts[which]
	// What is promised, in whole slots: until MaxUnsaved ago.
	from := max(begun, l.now-lay.keep)
	from = (from + max(lay.step, crashEvery) - 1) / max(lay.step, crashEvery) * max(lay.step, crashEvery)
	to := (l.now - int64(MaxUnsaved/time.Second)) / lay.step * lay.step
	found := map[int64]sum{}
	for _, until := range []int64{l.now + 1, l.now + 86400} { // also in pages that were never begun
		if err := f.view.scan(which, begun-1e6, until, func(second int64, s sum, _ uint32) bool {
			found[second] = s
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	for second, s := range found {
		if which == raw && (second%crashEvery != 0 || second < begun || s.mean != steady(second)) {
			t.Fatalf("before %s: raw slot %d has %v, which was not measured", l.p.what, second, s)
		}
		if second+lay.step <= begun || second > l.now || s.min > s.mean || s.mean > s.max {
			t.Fatalf("before %s: slot %d of %s has %v", l.p.what, second, tierNames[which], s)
		}
	}
	for second := from; second < to; second += max(lay.step, crashEvery) {
		want := sum{}
		for at := max(begun, second); at < second+lay.step; at += crashEvery {
			want = want.merge(sum{1, steady(at), steady(at), steady(at)})
		}
		if second < l.died && second+lay.step > l.died-int64(MaxUnsaved/time.Second) {
			continue // what the second process may have lost
		}
		got := found[second]
		if got.n != want.n || got.min != want.min || got.max != want.max || math.Abs(got.mean-want.mean) > 1e-3 {
			t.Fatalf("before %s (power cut %v): slot %d of %s, %d s before the end, has %+v, want %+v", l.p.what, power, second, tierNames[which], l.now-second, got, want)
		}
	}
}

// The process is killed, or the power cut, in front of each operation on files in turn. What is
// older than MaxUnsaved is there in each tier, and nothing else than what was measured.
func TestEveryCrash(t *testing.T) {
	step := 1
	switch {
	case testing.Short():
		step = 17
	case raced:
		step = 7
	}
	for _, power := range []bool{false, true} {
		t.Run(fmt.Sprintf("power cut %v", power), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at += step {
				p := newPlatter()
				p.at, p.err = at, errDead
				l := &life{p: p, now: begun}
				l.run()
				if l.done {
					t.Logf("%d operations", p.n)
					return
				}
				if !power {
					l.look(t, p.killed(), false)
					continue
				}
				r := rand.New(rand.NewPCG(uint64(at), 1))
				for range 3 {
					l.look(t, p.powerCut(r), true)
				}
			}
		})
	}
}
