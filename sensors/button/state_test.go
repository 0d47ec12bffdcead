package button

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// drive takes a sample at each change of the line and whenever the state machine wants
// one, as Watch does with a pin that has no delay, and returns the events with their
// times since the start.
func drive(opts Opts, start bool, changes []time.Duration, until time.Duration) (events []string, samples int) {
	begin := time.Unix(1e9, 0)
	s := state{opts: opts, tell: func(e Event) { events = append(events, fmt.Sprintf("%v %v", e.Time.Sub(begin), e.Kind)) }}
	on, now := start, begin
	s.step(now, on, 0)
	for {
		at, ok := s.next()
		if len(changes) > 0 && (!ok || !begin.Add(changes[0]).After(at)) {
			now, changes, on = begin.Add(changes[0]), changes[1:], !on
			if s.rests() {
				continue // its edges are switched off
			}
			s.step(now, on, 1)
			samples++
			continue
		}
		if !ok || at.After(begin.Add(until)) {
			return events, samples
		}
		now = at
		s.step(now, on, 0)
		samples++
	}
}

// every returns n changes in equal distances.
func every(from, distance time.Duration, n int) (changes []time.Duration) {
	for i := range n {
		changes = append(changes, from+time.Duration(i)*distance)
	}
	return changes
}

func TestState(t *testing.T) {
	opts := Opts{Debounce: 30 * ms, LongPress: 800 * ms, DoublePress: 400 * ms}
	with := func(change func(*Opts)) Opts {
		o := opts
		change(&o)
		return o
	}
	for _, row := range []struct {
		name    string
		opts    Opts
		start   bool // the line's level at the start
		changes []time.Duration
		until   time.Duration // 10 s when zero
		want    string
	}{
		{"a line that is off", opts, false, nil, 0, "0s off"},
		{"a line that is on at the start is no press", opts, true, []time.Duration{2 * time.Second}, 0, "0s on, 2s off"},
		{"a press", opts, false, []time.Duration{100 * ms, 200 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released"},
		{"contacts bounce", opts, false,
			[]time.Duration{100 * ms, 101 * ms, 103 * ms, 108 * ms, 109 * ms, 300 * ms, 302 * ms, 303 * ms}, 0,
			"0s off, 109ms on, 109ms pressed, 303ms off, 303ms released"},
		{"shorter than the debounce time", opts, false, []time.Duration{100 * ms, 129 * ms}, 0, "0s off"},
		{"as long as the debounce time", opts, false, []time.Duration{100 * ms, 131 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 131ms off, 131ms released"},
		{"a release that is too short", opts, false, []time.Duration{100 * ms, 200 * ms, 210 * ms, 300 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 300ms off, 300ms released"},
		{"no debouncing", with(func(o *Opts) { o.Debounce = 0 }), false, []time.Duration{100 * ms, 101 * ms, 700 * ms, 701 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 101ms off, 101ms released, 700ms on, 700ms pressed, 701ms off, 701ms released"},

		{"a long press", opts, false, []time.Duration{100 * ms, 2 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 900ms long press, 2s off, 2s released"},
		{"released at the last moment", opts, false, []time.Duration{100 * ms, 899 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 899ms off, 899ms released"},
		{"released in time is long", opts, false, []time.Duration{100 * ms, 900 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 900ms long press, 900ms off, 900ms released"},
		{"bounces when it gets long", opts, false, []time.Duration{100 * ms, 895 * ms, 905 * ms, 2 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 900ms long press, 2s off, 2s released"},
		{"no long press", with(func(o *Opts) { o.LongPress = 0 }), false, []time.Duration{100 * ms, 5 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 5s off, 5s released"},

		{"a double press", opts, false, []time.Duration{100 * ms, 200 * ms, 400 * ms, 450 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released, 400ms on, 400ms pressed, 400ms double press, 450ms off, 450ms released"},
		{"just in time", opts, false, []time.Duration{100 * ms, 200 * ms, 500 * ms, 550 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released, 500ms on, 500ms pressed, 500ms double press, 550ms off, 550ms released"},
		{"too late", opts, false, []time.Duration{100 * ms, 200 * ms, 501 * ms, 550 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released, 501ms on, 501ms pressed, 550ms off, 550ms released"},
		{"three presses are a double and one", opts, false, every(100*ms, 50*ms, 6), 0,
			"0s off, 100ms on, 100ms pressed, 150ms off, 150ms released, 200ms on, 200ms pressed, 200ms double press, " +
				"250ms off, 250ms released, 300ms on, 300ms pressed, 350ms off, 350ms released"},
		{"four presses are two doubles", opts, false, every(100*ms, 50*ms, 8), 0,
			"0s off, 100ms on, 100ms pressed, 150ms off, 150ms released, 200ms on, 200ms pressed, 200ms double press, 250ms off, 250ms released, " +
				"300ms on, 300ms pressed, 350ms off, 350ms released, 400ms on, 400ms pressed, 400ms double press, 450ms off, 450ms released"},
		{"no double press", with(func(o *Opts) { o.DoublePress = 0 }), false, []time.Duration{100 * ms, 200 * ms, 300 * ms, 350 * ms}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released, 300ms on, 300ms pressed, 350ms off, 350ms released"},
		{"the second press is long", opts, false, []time.Duration{100 * ms, 200 * ms, 300 * ms, 2 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 200ms off, 200ms released, 300ms on, 300ms pressed, 300ms double press, 1.1s long press, 2s off, 2s released"},
		{"on at the start is not the first of two", opts, true, []time.Duration{100 * ms, 200 * ms, 300 * ms}, 0,
			"0s on, 100ms off, 200ms on, 200ms pressed, 300ms off, 300ms released"},

		{"stuck", with(func(o *Opts) { o.Stuck = 5 * time.Second }), false, []time.Duration{100 * ms, 9 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 900ms long press, 5.1s stuck, 9s no longer stuck, 9s off, 9s released"},
		{"stuck from the start", with(func(o *Opts) { o.Stuck = 5 * time.Second }), true, nil, time.Minute, "0s on, 5s stuck"},

		{"stuck before it is long", with(func(o *Opts) { o.Stuck = 500 * ms }), false, []time.Duration{100 * ms, 2 * time.Second}, 0,
			"0s off, 100ms on, 100ms pressed, 600ms stuck, 900ms long press, 2s no longer stuck, 2s off, 2s released"},

		{"hum of the mains", opts, false, every(time.Second, 10*ms, 500), 20 * time.Second,
			"0s off, 1.63s chatter, 7.95s quiet"},
		{"too slow for the edges, too fast for the debounce time", opts, false, every(time.Second, 25*ms, 401), 30 * time.Second,
			"0s off, 2s chatter, 12.4s quiet, 12.4s on"},
		{"chatter from the start", opts, false, every(ms, ms, 4000), 20 * time.Second, "64ms chatter, 5.088s quiet, 5.088s off"},
		{"chatter during a press", opts, false, append([]time.Duration{100 * ms}, every(500*ms, 5*ms, 101)...), 20 * time.Second,
			"0s off, 100ms on, 100ms pressed, 810ms chatter, 2.81s quiet, 2.81s off, 2.81s released"},
		{"what chatter leaves is no press", opts, false, append(every(time.Second, 5*ms, 101), 10*time.Second), 20 * time.Second,
			"0s off, 1.315s chatter, 3.315s quiet, 3.315s on, 10s off"},
		{"a float switch in waves", opts, false, every(time.Second, 200*ms, 2), 20 * time.Second,
			"0s off, 1s on, 1s pressed, 1.2s off, 1.2s released"},
	} {
		t.Run(row.name, func(t *testing.T) {
			until := row.until
			if until == 0 {
				until = 10 * time.Second
			}
			got, _ := drive(row.opts, row.start, row.changes, until)
			if text := strings.Join(got, ", "); text != row.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", text, row.want)
			}
		})
	}
}

// A line that chatters for ten minutes costs 8 edges in 1 s at most, and is reported once.
func TestChatterIsBounded(t *testing.T) {
	changes := every(time.Second, ms, 600*1000)
	events, samples := drive(DefaultOpts, false, changes, 10*time.Minute)
	if text := strings.Join(events, ", "); text != "0s off, 1.063s chatter" {
		t.Error(text)
	}
	if most := 600*(quietEdges+1) + stormEdges + 10; samples > most {
		t.Errorf("%d samples, want %d at most", samples, most)
	}
}

// FuzzState feeds samples at any times: events must come in order, in pairs, and agree
// with the line in the end.
func FuzzState(f *testing.F) {
	f.Add([]byte{0x81, 0x01, 0xFF, 0x7F, 0x80, 0x00}, uint8(5), uint8(80), uint8(40), uint8(0))
	f.Add([]byte{0x85, 0x04, 0x83, 0x05, 0x85, 0xFF, 0xFF}, uint8(0), uint8(30), uint8(20), uint8(100))
	f.Add([]byte{0x80, 0x00, 0x80, 0x00}, uint8(3), uint8(0), uint8(0), uint8(1))
	f.Add([]byte(strings.Repeat("\x80\x00", 80)+"\x7f\x7f\x7f\x7f"), uint8(3), uint8(0), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, samples []byte, debounce, long, double, stuck uint8) {
		unit := 10 * ms
		now := time.Unix(1e9, 0)
		opts := Opts{
			Debounce: time.Duration(debounce) * unit, LongPress: time.Duration(long) * unit,
			DoublePress: time.Duration(double) * unit, Stuck: time.Duration(stuck) * unit,
		}
		m := model{t: t, opts: opts, now: func() time.Time { return now }}
		s := state{opts: opts, tell: m.event}
		// Each sample: the highest bit is the level, the rest how long after
		// the last one.
		on := false
		for _, b := range samples {
			now = now.Add(time.Duration(b&0x7F) * unit)
			on = b&0x80 != 0
			s.step(now, on, int(b>>6&1))
		}
		if len(samples) == 0 {
			s.step(now, on, 0)
		}
		// A line that rests settles: next names a finite number of times.
		for i := 0; ; i++ {
			at, ok := s.next()
			if !ok {
				break
			}
			if i == 20 {
				t.Fatal("it does not settle")
			}
			if at.After(now) {
				now = at
			}
			s.step(now, on, 0)
		}
		m.settled(on)
	})
}

// model is what a reader of the events may rely on.
type model struct {
	t    *testing.T
	opts Opts
	now  func() time.Time

	last                               Event
	known, on, pressed, chatter, stuck bool
	down, before                       time.Time // the last two presses
}

func (m *model) event(e Event) {
	if e.Time.Before(m.last.Time) || e.Time.After(m.now()) {
		m.t.Errorf("%s at %s after %s at %s, now %s", e.Kind, e.Time, m.last.Kind, m.last.Time, m.now())
	}
	wrong := m.chatter && e.Kind != Quiet
	switch e.Kind {
	case On:
		wrong, m.on = wrong || m.known && m.on, true
	case Off:
		wrong, m.on = wrong || m.known && !m.on || m.stuck, false
	case Pressed:
		wrong, m.pressed = wrong || m.pressed || m.last.Kind != On, true
		m.before, m.down = m.down, e.Time
	case Released:
		wrong, m.pressed = wrong || !m.pressed || m.last.Kind != Off, false
	case LongPress:
		wrong = wrong || !m.pressed || e.Time.Sub(m.down) != m.opts.LongPress
	case DoublePress:
		wrong = wrong || m.last.Kind != Pressed || e.Time.Sub(m.before) > m.opts.DoublePress
	case Chatter:
		wrong, m.chatter = wrong || m.chatter, true
	case Quiet:
		wrong, m.chatter = !m.chatter, false
	case Stuck:
		wrong, m.stuck = wrong || m.stuck || !m.on, true
	case Unstuck:
		wrong, m.stuck = wrong || !m.stuck, false
	}
	if wrong {
		m.t.Errorf("%s after %s", e.Kind, m.last.Kind)
	}
	m.known = m.known || e.Kind == On || e.Kind == Off
	m.last = e
}

func (m *model) settled(on bool) {
	if !m.known || m.on != on || m.chatter {
		m.t.Errorf("at the end: known %t, on %t, chatter %t; the line is %t", m.known, m.on, m.chatter, on)
	}
	if m.pressed && !on || m.stuck && !on {
		m.t.Error("a line that is off is pressed or stuck")
	}
}

func BenchmarkStep(b *testing.B) {
	b.ReportAllocs()
	s := state{opts: DefaultOpts, tell: func(Event) {}}
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		now = now.Add(20 * ms)
		s.step(now, i&8 != 0, 0)
		s.next()
	}
}
