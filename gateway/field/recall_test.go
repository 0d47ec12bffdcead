package field_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/field"
)

// meter is a sensor that measures when it is asked: its temperature counts the readings.
type meter struct {
	actor
	takes   time.Duration // for one reading; 0: none
	fails   error
	old     bool // it measured long ago
	reads   atomic.Int32
	answers func(n int) []device.Event
}

func (m *meter) Read(ctx context.Context) ([]device.Event, error) {
	at := time.Now()
	n := int(m.reads.Add(1))
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if m.fails != nil {
		return nil, m.fails
	}
	if m.old {
		at = at.Add(-time.Hour)
	}
	if m.answers != nil {
		return m.answers(n), nil
	}
	return []device.Event{{Thing: "env", Name: "state", Values: device.Values{"t": float64(n), "h": 40.0}, At: at}}, nil
}

// hall is a field with a meter, a lamp that cannot be asked, and what is computed of both.
func hall(t *testing.T, m *meter) *rig {
	r := newRig(t, field.Options{
		Things: []field.Thing{{Name: "env", Model: sensor, Actor: m}, {Name: "lamp", Model: relay, Actor: &actor{}}},
		Variables: []collect.Variable{variable("t", "env", "temperature"), variable("lamp", "lamp", "state"),
			variable("twice", "hall", "", func(v *collect.Variable) { v.Expression = "2 * t" })},
		Alarms: []collect.AlarmRule{{Name: "Warm", Device: "env", Variable: "t", Condition1: collect.Gne, Operand1: "1"}},
		Compute: func(*collect.Variable) (func(collect.Round) (any, error), error) {
			return func(all collect.Round) (any, error) {
				n, _ := all.Samples[0].Value.(float64)
				return 2 * n, nil
			}, nil
		},
	})
	r.bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": 0.0}, At: time.Now()})
	r.bus.Emit(device.Event{Thing: "lamp", Name: "state", Values: device.Values{"state": "on"}, At: time.Now()})
	return r
}

func (r *rig) now(t *testing.T, names ...string) string {
	t.Helper()
	round, err := r.RecallNow(t.Context(), named(names))
	if err != nil {
		t.Error(err)
	}
	return r.show(round)
}

func named(names []string) func(*collect.Variable) bool {
	if len(names) == 0 {
		return nil
	}
	return func(v *collect.Variable) bool { return slices.Contains(names, v.Name) }
}

// A recall has the things of its variables measure, takes what they find, and judges it. One
// that can wait has what is known.
func TestRecallNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{takes: 300 * time.Millisecond}
		r := hall(t, m)
		if got := r.show(r.Recall(time.Now(), nil)); got != "env.t=0°C/true lamp.lamp=on/true hall.twice=0/true" || m.reads.Load() != 0 {
			t.Errorf("known %s, %d readings", got, m.reads.Load())
		}
		began := time.Now()
		if got := r.now(t); got != "env.t=1°C/true lamp.lamp=on/true hall.twice=2/true" {
			t.Errorf("now %s", got)
		}
		if took := time.Since(began); took != m.takes {
			t.Errorf("it took %v", took)
		}
		if _, events := r.Take(time.Now()); len(events) != 1 || !events[0].On || events[0].Value != 1.0 {
			t.Errorf("alarms: %+v", events)
		}
		time.Sleep(time.Second)
		for _, row := range []struct {
			names []string
			want  string
			reads int32
		}{
			{[]string{"lamp"}, "lamp.lamp=on/true", 1}, // env is not asked
			{[]string{"twice"}, "hall.twice=4/true", 2},
			{[]string{"none"}, "", 2},
		} {
			if got := r.now(t, row.names...); got != row.want || m.reads.Load() != row.reads {
				t.Errorf("%s: %s after %d readings, want %s after %d", row.names, got, m.reads.Load(), row.want, row.reads)
			}
			time.Sleep(time.Second)
		}
	})
}

// Who asks at the same time shares a reading, and who asks just after one gets that.
func TestRecallsShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{takes: 300 * time.Millisecond}
		r := hall(t, m)
		ask := func(n int, want string) {
			t.Helper()
			answers := make(chan string, n)
			for i := range n {
				go func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					answers <- r.now(t, "t")
				}()
			}
			for range n {
				if got := <-answers; got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}
		ask(200, "env.t=1°C/true")
		ask(20, "env.t=1°C/true") // 99 ms after it at most
		time.Sleep(100 * time.Millisecond)
		ask(20, "env.t=2°C/true")
		if n := m.reads.Load(); n != 2 {
			t.Errorf("%d readings", n)
		}
		// Who asks again and again has ten readings a second at most, with the time of each.
		m.takes = 0
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			r.now(t, "t")
		}
		if n := m.reads.Load() - 2; n < 9 || n > 11 {
			t.Errorf("%d readings in a second", n)
		}
	})
}

// A thing that takes too long costs each recall its time, and one reading in all; those of
// other things answer.
func TestRecallOfAThingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{takes: time.Hour}
		r := hall(t, m)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			began := time.Now()
			if _, err := r.RecallNow(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 2*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			cancel()
		}
		if got := r.now(t, "lamp"); got != "lamp.lamp=on/true" {
			t.Error(got)
		}
		if n := m.reads.Load(); n != 1 {
			t.Errorf("%d readings", n)
		}
		// It does not hold up the end.
		began := time.Now()
		r.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("the end took %v", took)
		}
		if got := r.now(t, "t"); got != "env.t=0°C/true" || m.reads.Load() != 1 {
			t.Errorf("after the end: %s", got)
		}
	})
}

// A thing that does not work is not asked, one that cannot measure has what is known, and an
// answer does not take the place of something newer.
func TestRecallOfAThingThatFails(t *testing.T) {
	for name, row := range map[string]struct {
		down  bool
		m     *meter
		want  string
		reads int32
	}{
		"down":   {true, &meter{}, "env.t=0°C/false", 0},
		"fails":  {false, &meter{fails: errors.New("not open")}, "env.t=0°C/true", 1},
		"late":   {false, &meter{old: true}, "env.t=0°C/true", 1},
		"empty":  {false, &meter{answers: func(int) []device.Event { return nil }}, "env.t=0°C/true", 1},
		"no key": {false, &meter{answers: func(int) []device.Event { return []device.Event{{Thing: "env", Name: "state", At: time.Now()}} }}, "env.t=0°C/true", 1},
		"nil": {false, &meter{answers: func(int) []device.Event {
			return []device.Event{{Thing: "env", Name: "state", Values: device.Values{"t": nil}, At: time.Now()}}
		}}, "env.t=<nil>°C/false", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := hall(t, row.m)
				r.down["env"] = row.down
				if got := r.now(t, "t"); got != row.want || row.m.reads.Load() != row.reads {
					t.Errorf("%s after %d readings, want %s after %d", got, row.m.reads.Load(), row.want, row.reads)
				}
			})
		})
	}
}

// Many recalls, events and polls at once.
func TestRecallsAtOnce(t *testing.T) {
	m := &meter{}
	r := hall(t, m)
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 200 {
				r.now(t)
				r.bus.Emit(device.Event{Thing: "env", Name: "state", Values: device.Values{"t": float64(i)}, At: time.Now()})
				r.Take(time.Now())
			}
		}()
	}
	for range 8 {
		<-done
	}
	r.Close()
	if n := m.reads.Load(); n < 1 || n > 200 {
		t.Errorf("%d readings for 1600 recalls", n)
	}
}
