package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The heap has the same first entry as a list that is searched.
func TestTimers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 5, 100} {
		h := newTimers(n)
		list := slices.Repeat([]int64{never}, n)
		for range 5000 {
			i, at := r.IntN(n), r.Int64N(1000)
			if r.IntN(4) == 0 {
				at = never
			}
			h.set(int32(i), at)
			list[i] = at
			if first, got := h.next(); got != slices.Min(list) || list[first] != got {
				t.Fatalf("of %d: device %d at %d, want %d", n, first, got, slices.Min(list))
			}
		}
	}
}

func TestPercentile(t *testing.T) {
	var l Latency
	if l.Percentile(50) != 0 {
		t.Error("of nothing")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var all []time.Duration
	for range 10000 {
		d := time.Duration(r.ExpFloat64() * float64(3*time.Millisecond))
		all = append(all, d)
		l.note(d)
	}
	slices.Sort(all)
	for _, p := range []float64{0, 50, 90, 99, 99.9, 100} {
		want := all[min(int(p/100*float64(len(all))), len(all)-1)]
		if got := l.Percentile(p); got < want || got > want*113/100+2*time.Microsecond {
			t.Errorf("%v %%: %v, want %v", p, got, want)
		}
	}
	before := l
	l.note(time.Hour)
	if d := l.Since(&before); d.Count() != 1 || l.Max() != time.Hour {
		t.Errorf("since: %d", d.Count())
	}
	if top := latencyTop(latencySteps - 1); top < 17*time.Minute || top > 18*time.Minute {
		t.Errorf("the last step ends at %v", top)
	}
	// A fleet of 100,000 messages a second has more than 2^32 in one step within a day.
	var two Latency
	two.counts[3], two.counts[5], two.n, two.most = 1<<33, 1<<33, 1<<34, time.Second
	if low, high := two.Percentile(49), two.Percentile(51); low != latencyTop(3) || high != latencyTop(5) {
		t.Errorf("of 2^34: %v and %v", low, high)
	}
	for i := range latencySteps - 1 {
		if top := latencyTop(i); latencyStep(top-1) != i || latencyStep(top) != i+1 {
			t.Fatalf("step %d ends at %v, which is in %d and %d", i, top, latencyStep(top-1), latencyStep(top))
		}
	}
}

// Why connections fail is counted, in so many words at most.
func TestReasonsAreBounded(t *testing.T) {
	var s Stats
	for i := range 1000 {
		s.failed(nameOf(i))
	}
	if len(s.Errors) > maxReasons+1 || s.Errors[otherReasons] != 1000-maxReasons {
		t.Errorf("%d reasons, %d others", len(s.Errors), s.Errors[otherReasons])
	}
}
