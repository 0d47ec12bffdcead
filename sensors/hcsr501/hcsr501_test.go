package hcsr501

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// plain has no warm-up and no hold.
var plain = Opts{Debounce: 50 * time.Millisecond, StuckHigh: 10 * time.Minute}

// at is a change of the line at a time since the start.
type at struct {
	t     time.Duration
	level gpio.Level
}

const ms = time.Millisecond

// bounces is a contact that chatters each ms for a time, from t on, and ends at l.
func bounces(t, long time.Duration, l gpio.Level) (out []at) {
	for d := time.Duration(0); d < long; d += 2 * ms {
		out = append(out, at{t + d, l}, at{t + d + ms, !l})
	}
	return append(out, at{t + long, l})
}

// pulses is a line that is high and low in turn from a time to another, and then low.
func pulses(from, to, high, low time.Duration) (out []at) {
	for t := from; t < to; t += high + low {
		out = append(out, at{t, true}, at{t + high, false})
	}
	return out
}

func with(o Opts, change func(*Opts)) *Opts {
	change(&o)
	return &o
}

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		opts  *Opts
		deaf  bool
		line  []at
		until time.Duration
		want  []string
	}{
		{
			name: "nothing moves", opts: &plain, until: time.Hour,
		},
		{
			name: "a pulse", opts: &plain, until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}},
			want: []string{"1s motion began", "4s motion ended"},
		},
		{
			name: "two pulses", opts: &plain, until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}, {7 * time.Second, true}, {10 * time.Second, false}},
			want: []string{"1s motion began", "4s motion ended", "7s motion began", "10s motion ended"},
		},
		{
			name: "high from the start", opts: &plain, until: time.Minute,
			line: []at{{0, true}, {4 * time.Second, false}},
			want: []string{"0s motion began", "4s motion ended"},
		},
		{
			name: "a spike is not motion", opts: &plain, until: time.Minute,
			line: []at{{time.Second, true}, {time.Second + 40*ms, false}},
		},
		{
			name: "a gap is not an end", opts: &plain, until: time.Minute,
			line: []at{{time.Second, true}, {2 * time.Second, false}, {2*time.Second + 40*ms, true}, {4 * time.Second, false}},
			want: []string{"1s motion began", "4s motion ended"},
		},
		{
			name: "a storm of bounces counts from its end", opts: &plain, until: time.Minute,
			line: slices.Concat(bounces(time.Second, 300*ms, true), bounces(4*time.Second, 300*ms, false)),
			want: []string{"1.3s motion began", "4.3s motion ended"},
		},
		{
			name: "no debounce", opts: with(plain, func(o *Opts) { o.Debounce = -1 }), until: time.Minute,
			line: []at{{time.Second, true}, {time.Second + 5*ms, false}},
			want: []string{"1s motion began", "1.005s motion ended"},
		},
		{
			name: "missed edges are found by polling", opts: &plain, deaf: true, until: time.Minute,
			line: []at{{1500 * ms, true}, {4500 * ms, false}},
			want: []string{"2s motion began", "5.05s motion ended"},
		},
		{
			name: "poll more often", opts: with(plain, func(o *Opts) { o.Poll = 100 * ms }), deaf: true, until: time.Minute,
			line: []at{{1570 * ms, true}, {4570 * ms, false}},
			want: []string{"1.6s motion began", "4.65s motion ended"},
		},
		{
			name: "hold joins pulses", opts: with(plain, func(o *Opts) { o.Hold = 5 * time.Second }), until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}, {7 * time.Second, true}, {10 * time.Second, false}},
			want: []string{"1s motion began", "15s motion ended"},
		},
		{
			name: "a spike does not prolong the hold", opts: with(plain, func(o *Opts) { o.Hold = 5 * time.Second }), until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}, {8980 * ms, true}, {9010 * ms, false}},
			want: []string{"1s motion began", "9s motion ended"},
		},
		{
			name: "a pulse that begins within the hold continues", opts: with(plain, func(o *Opts) { o.Hold = 5 * time.Second }), until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}, {8980 * ms, true}, {12 * time.Second, false}},
			want: []string{"1s motion began", "17s motion ended"},
		},
		{
			name: "a pulse that begins after the hold is another", opts: with(plain, func(o *Opts) { o.Hold = 5 * time.Second }), until: time.Minute,
			line: []at{{time.Second, true}, {4 * time.Second, false}, {9 * time.Second, true}, {12 * time.Second, false}},
			want: []string{"1s motion began", "9s motion ended", "9s motion began", "17s motion ended"},
		},
		{
			name: "warm-up swallows the sensor's first pulses", opts: nil, until: 2 * time.Minute,
			line: []at{{0, true}, {3 * time.Second, false}, {30 * time.Second, true}, {33 * time.Second, false}, {70 * time.Second, true}, {73 * time.Second, false}},
			want: []string{"0s warming up, 1m0s left", "1m0s ready", "1m10s motion began", "1m13s motion ended"},
		},
		{
			name: "motion at the end of the warm-up", opts: nil, until: 2 * time.Minute,
			line: []at{{58 * time.Second, true}, {62 * time.Second, false}},
			want: []string{"0s warming up, 1m0s left", "1m0s ready", "1m0s motion began", "1m2s motion ended"},
		},
		{
			name: "motion too short to count before the end of the warm-up", opts: nil, until: 2 * time.Minute,
			line: []at{{59*time.Second + 980*ms, true}, {62 * time.Second, false}},
			want: []string{"0s warming up, 1m0s left", "1m0s ready", "1m0s motion began", "1m2s motion ended"},
		},
		{
			name: "stuck high", opts: &plain, until: time.Hour,
			line: []at{{time.Second, true}, {20 * time.Minute, false}},
			want: []string{"1s motion began", "10m1s stuck high", "20m0s no longer stuck", "20m0s motion ended"},
		},
		{
			name: "stuck high since power-up", opts: with(DefaultOpts, func(o *Opts) { o.StuckHigh = 30 * time.Second }), until: time.Hour,
			line: []at{{0, true}},
			want: []string{"0s warming up, 1m0s left", "1m0s ready", "1m0s motion began", "1m0s stuck high"},
		},
		{
			name: "stuck is reported once a time", opts: with(plain, func(o *Opts) { o.StuckHigh = time.Minute }), until: time.Hour,
			line: []at{{time.Second, true}, {5 * time.Minute, false}, {6 * time.Minute, true}, {6*time.Minute + 30*time.Second, false}, {10 * time.Minute, true}},
			want: []string{
				"1s motion began", "1m1s stuck high", "5m0s no longer stuck", "5m0s motion ended",
				"6m0s motion began", "6m30s motion ended", "10m0s motion began", "11m0s stuck high"},
		},
		{
			// home-assistant-config#750: high 5.8 s, low 0.6 s, for days.
			name: "a sensor that never stays quiet is stuck", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = 8*time.Second, 20*time.Second }), until: 90 * time.Second,
			line: pulses(0, time.Minute, 5800*ms, 600*ms),
			want: []string{"0s motion began", "20s stuck high", "1m11.4s no longer stuck", "1m11.4s motion ended"},
		},
		{
			name: "stuck counts from the motion and not from the last rise", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = 5*time.Second, time.Minute }), until: 5 * time.Minute,
			line: []at{{0, true}, {50 * time.Second, false}, {52 * time.Second, true}, {70 * time.Second, false}},
			want: []string{"0s motion began", "1m0s stuck high", "1m15s no longer stuck", "1m15s motion ended"},
		},
		{
			name: "stuck while the line is low", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = 8*time.Second, 20*time.Second }), until: 5 * time.Minute,
			line: []at{{0, true}, {15 * time.Second, false}},
			want: []string{"0s motion began", "20s stuck high", "23s no longer stuck", "23s motion ended"},
		},
		{
			name: "motion that ends in time is not stuck", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = 8*time.Second, 20*time.Second }), until: 5 * time.Minute,
			line: []at{{0, true}, {11 * time.Second, false}},
			want: []string{"0s motion began", "19s motion ended"},
		},
		{
			name: "a spike before the end does not make motion stuck", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = 8*time.Second, 20*time.Second }), until: 5 * time.Minute,
			line: []at{{0, true}, {11 * time.Second, false}, {18980 * ms, true}, {19010 * ms, false}},
			want: []string{"0s motion began", "19s motion ended"},
		},
		{
			name: "stuck again after it healed", opts: with(plain, func(o *Opts) { o.Hold, o.StuckHigh = time.Second, 10*time.Second }), until: 5 * time.Minute,
			line: append(pulses(0, 15*time.Second, 5800*ms, 600*ms), pulses(time.Minute, 75*time.Second, 5800*ms, 600*ms)...),
			want: []string{
				"0s motion began", "10s stuck high", "19.6s no longer stuck", "19.6s motion ended",
				"1m0s motion began", "1m10s stuck high", "1m19.6s no longer stuck", "1m19.6s motion ended"},
		},
		{
			name: "stuck is not asked for", opts: with(plain, func(o *Opts) { o.StuckHigh = 0 }), until: 10 * time.Hour,
			line: []at{{time.Second, true}},
			want: []string{"1s motion began"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPin()
				p.deaf = c.deaf
				start := time.Now()
				if len(c.line) > 0 && c.line[0].t == 0 {
					p.level = c.line[0].level
				}
				d, err := New(p, c.opts)
				if err != nil {
					t.Fatal(err)
				}
				if p.pull != gpio.PullDown || p.edge != gpio.BothEdges {
					t.Errorf("the pin is set to %s, %s", p.pull, p.edge)
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.until)
				defer cancel()
				go func() {
					for _, e := range c.line {
						time.Sleep(time.Until(start.Add(e.t)))
						p.set(e.level)
					}
				}()
				var got []string
				var last time.Time
				err = d.Watch(ctx, func(e Event) {
					s := fmt.Sprintf("%s %s", e.Time.Sub(start), e.Kind)
					if e.Remaining != 0 {
						s += fmt.Sprintf(", %s left", e.Remaining)
					}
					got = append(got, s)
					if e.Time.Before(last) || e.Time.After(time.Now()) {
						t.Errorf("%s is out of order", s)
					}
					last = e.Time
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if late := time.Since(start) - c.until; late > time.Second {
					t.Errorf("ended %s after its context", late)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
				}
			})
		})
	}
}

// TestWatch_strangePins: a pin whose waits return at once must neither take the
// processor nor hide motion.
func TestWatch_strangePins(t *testing.T) {
	for name, set := range map[string]func(*pin){
		"always an edge":    func(p *pin) { p.storm = true },
		"never waits":       func(p *pin) { p.broken = true },
		"pull not possible": func(p *pin) { p.noPull = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPin()
				set(p)
				d, err := New(p, &plain)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				go func() {
					time.Sleep(50 * time.Second)
					p.set(gpio.High)
				}()
				var got []Kind
				if err := d.Watch(ctx, func(e Event) { got = append(got, e.Kind) }); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if !slices.Equal(got, []Kind{Began}) {
					t.Errorf("got %v", got)
				}
				if p.waits > 100*110 {
					t.Errorf("%d waits in 100 s", p.waits)
				}
			})
		})
	}
}

// TestWatch_gone: the pin's chip is unplugged. Read and WaitForEdge cannot tell.
func TestWatch_gone(t *testing.T) {
	for name, set := range map[string]func(*pin){
		"waits last as ever":  func(p *pin) {},
		"waits fail at once":  func(p *pin) { p.broken = true },
		"waits are all edges": func(p *pin) { p.storm = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPin()
				d, err := New(p, &plain)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				go func() {
					time.Sleep(10 * time.Second)
					p.set(gpio.High)
					time.Sleep(10 * time.Second)
					p.change(func() {
						p.gone = true
						set(p)
					})
				}()
				var got []Kind
				err = d.Watch(t.Context(), func(e Event) { got = append(got, e.Kind) })
				if !slices.Equal(got, []Kind{Began}) {
					t.Errorf("got %v; a line that has gone does not tell that motion ended", got)
				}
				if !errors.Is(err, errGone) || !strings.Contains(err.Error(), "GPIO17") {
					t.Errorf("got %v", err)
				}
				if late := time.Since(start) - 20*time.Second; late > 10*time.Second {
					t.Errorf("noticed after %s", late)
				}
			})
		})
	}
}

func TestHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPin()
		d, err := New(p, &plain)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- d.Watch(context.Background(), func(Event) {}) }()
		synctest.Wait()
		if err := d.Watch(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("a second Watch: %v", err)
		}
		if d.Detected() {
			t.Error("motion on a quiet line")
		}
		start := time.Now()
		for range 2 {
			if err := d.Halt(); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; !errors.Is(err, ErrHalted) {
			t.Errorf("got %v, want ErrHalted", err)
		}
		if took := time.Since(start); took > 100*ms {
			t.Errorf("Watch ended %s after Halt", took)
		}
		if p.halts != 1 {
			t.Errorf("the pin was halted %d times", p.halts)
		}
	})
}

func TestWatch_cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := New(newPin(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Watch(ctx, func(Event) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// Afterwards it can be watched again; the warm-up continues meanwhile.
		time.Sleep(20 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var got []Event
		if err := d.Watch(ctx, func(e Event) { got = append(got, e) }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if len(got) != 1 || got[0].Kind != WarmingUp || got[0].Remaining != 40*time.Second {
			t.Errorf("got %+v", got)
		}
	})
}

func TestNew_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		opts Opts
		want string
	}{
		"poll too rare":     {Opts{Poll: 2 * time.Second}, "1ms to 1s"},
		"poll too often":    {Opts{Poll: time.Microsecond}, "1ms to 1s"},
		"poll negative":     {Opts{Poll: -1}, "1ms to 1s"},
		"debounce too long": {Opts{Debounce: time.Minute}, "at most 10s"},
	} {
		if _, err := New(&pin{}, &c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
	if _, err := New(&pin{gone: true}, nil); !errors.Is(err, errGone) {
		t.Errorf("line that is not there: got %v", err)
	}
}

func TestStrings(t *testing.T) {
	d, err := New(newPin(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.String(); got != "HC-SR501{GPIO17}" {
		t.Errorf("got %s", got)
	}
	if got := Kind(42).String(); got != "Kind(42)" {
		t.Errorf("got %s", got)
	}
}
