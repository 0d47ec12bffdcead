package history

import (
	"math"
	"testing"
	"time"
)

// begun is a second at which a page of hours, and of all others, has begun some time ago.
var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix()

func newSeries(d files) *series {
	k := Key{"hall", "temperature", "°C"}
	return &series{header: header{k, 2}, name: fileName(k), fs: d}
}

// put adds readings as a store does, with a tick now and then.
func (s *series) feed(t *testing.T, from, to, every int64, value func(int64) float64) {
	t.Helper()
	if err := s.open(from); err != nil {
		t.Fatal(err)
	}
	next := from + int64(Tick/time.Second)
	for at := from; at < to; at += every {
		s.add(at, value(at))
		if err := s.flush(); err != nil {
			t.Fatal(err)
		}
		for at >= next {
			s.tick()
			next += int64(Tick / time.Second)
		}
	}
}

// wave is a temperature that a day and an hour change.
func wave(at int64) float64 {
	x := 21 + 5*math.Sin(float64(at)/86400*2*math.Pi) + math.Sin(float64(at)/900)
	return math.Round(x*100) / 100
}

// rowsOf reads rows of a file by itself.
func rowsOf(t *testing.T, s *series, from, to int64, points int) (all []Row, p plan) {
	t.Helper()
	f, err := openFile(s.fs, s.name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.f != nil {
		f.view.over = s.newer()
	}
	q := Query{From: time.Unix(from, 0), To: time.Unix(to, 0), Points: points, Now: time.Unix(to, 0)}
	if err := q.Check(); err != nil {
		t.Fatal(err)
	}
	p = q.plan()
	if err := f.view.rows(p, func(r Row) bool { all = append(all, r); return true }); err != nil {
		t.Fatal(err)
	}
	if f.Damaged() > 0 {
		t.Errorf("%d pages are damaged", f.Damaged())
	}
	return all, p
}

// expect computes rows from the readings themselves.
func expect(p plan, every, from, to int64, value func(int64) float64) (all []Row) {
	var part sum
	at := int64(-1)
	for second := from; second < to; second += every {
		if second < p.from || second >= p.to {
			continue
		}
		if b := second - second%p.step; b != at {
			if part.n > 0 {
				all = append(all, Row{at, part.n, part.min, part.mean, part.max})
			}
			at, part = b, sum{}
		}
		v := value(second)
		part = part.merge(sum{1, v, v, v})
	}
	if part.n > 0 {
		all = append(all, Row{at, part.n, part.min, part.mean, part.max})
	}
	return all
}

func compare(t *testing.T, what string, got, want []Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	close := func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }
	for i := range got {
		g, w := got[i], want[i]
		if g.Second != w.Second || g.N != w.N || !close(g.Min, w.Min) || !close(g.Mean, w.Mean) || !close(g.Max, w.Max) {
			t.Fatalf("%s: row %d is %+v, want %+v", what, i, g, w)
		}
	}
}

// What is read is what was measured, in each tier, from memory and from the disk.
func TestReadings(t *testing.T) {
	p := newPlatter()
	s := newSeries(p)
	end := begun + 9*3600 + 1234
	s.feed(t, begun, end, 3, wave)
	for _, closed := range []bool{false, true} {
		if closed {
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, tc := range []struct {
			name     string
			from, to int64
			points   int
			tier     tier
		}{
			{"the last minutes as they are", end - 600, end, 0, raw},
			{"all of it as it is", begun, end, 0, raw},
			{"an hour in minutes", end - 3600, end, 60, minutes},
			{"some hours in parts of minutes", begun, end, 100, minutes},
			{"all in hours", begun, end, 5, hours},
			{"parts of seconds", end - 3000, end, 300, raw},
		} {
			got, plan := rowsOf(t, s, tc.from, tc.to, tc.points)
			if plan.tier != tc.tier {
				t.Errorf("%s: read from %s, want %s", tc.name, tierNames[plan.tier], tierNames[tc.tier])
			}
			compare(t, tc.name, got, expect(plan, 3, begun, end, wave))
		}
	}
}
