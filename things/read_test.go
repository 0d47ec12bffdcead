package things

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/hw/mock"
)

// Every kind that measures something can be asked for it between its reports: each quantity is
// in the answer, with the time of the question, and nothing is published or emitted. The state
// of an output is what it was set to, which it has reported.
func TestEachKindIsReadNow(t *testing.T) {
	for _, k := range Kinds() {
		s := k.New()
		conf.Fill(s)
		s.Simulate()
		if k == outputKind || len(k.Describe(s, nil).Model.Quantities) == 0 && !slices.Contains([]*Kind{kernelKind, hostKind}, k) {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			onBench(t, mock.Options{Motion: mock.Motion{First: 10 * time.Second, Every: 8 * time.Second, Width: 3 * time.Second}}, func(b *bench) {
				thing := b.in(b.env(quiet), Options{Thing: "x", Extra: Extra{"site": "hall"}}, s)
				reader := thing.(device.Reader)
				defer b.run(thing)()
				time.Sleep(70*time.Second + 500*time.Millisecond) // between two intervals, and in a movement
				var emitted int
				defer b.events.Subscribe("", "", func(device.Event) { emitted++ })()
				b.link.Forget()
				asked := time.Now()
				events, err := reader.Read(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				quantities := k.Describe(s, nil).Model.Quantities
				if m, ok := thing.(Measuring); ok {
					quantities = m.Quantities()
				}
				for _, q := range quantities {
					i := slices.IndexFunc(events, func(e device.Event) bool { return e.Name == q.Event })
					if i < 0 {
						b.Errorf("no event %s for %s", q.Event, q.Name)
						continue
					}
					e := events[i]
					if v, there := e.Values[q.Key]; !there || v == nil || e.Thing != "x" || e.At.Before(asked) || e.Values["site"] != "hall" {
						b.Errorf("%s in %+v", q.Name, e)
					}
				}
				if all := b.link.Published("#"); len(all)+emitted > 0 {
					b.Errorf("published %v, emitted %d", all, emitted)
				}
			})
		})
	}
}

// A thing whose part is not open has no reading, and the question ends with its context.
func TestReadingOfAPartThatIsNotOpen(t *testing.T) {
	for _, k := range Kinds() {
		s := k.New()
		conf.Fill(s)
		s.Simulate()
		onBench(t, mock.Options{}, func(b *bench) {
			reader, ok := b.in(b.env(quiet), Options{Thing: "x"}, s).(device.Reader)
			if !ok {
				return
			}
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			if events, err := reader.Read(ctx); err == nil || len(events) > 0 {
				b.Errorf("%s: %v, %v", k.Name, events, err)
			}
		})
	}
}

// A Modbus device is read once for each question, in the order of the questions, and its
// failures are values that lack.
func TestModbusIsReadNow(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := modbusOf("mock", heating...)
		s.Interval = conf.Duration{Duration: time.Hour}
		s.Retries = 0
		thing := b.in(b.env(quiet), Options{Thing: "heating"}, s)
		defer b.run(thing)()
		var mu sync.Mutex
		requests := 0
		count := func(more func(*mock.Answer)) {
			b.board.Modbus("mock").Fault(func(a *mock.Answer) {
				mu.Lock()
				requests++
				mu.Unlock()
				if more != nil {
					more(a)
				}
			})
		}
		read := func() string {
			events, err := thing.(device.Reader).Read(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			state := events[len(events)-1]
			return fmt.Sprint(state.Name, " ", state.Values["setpoint"], " ", state.Values["pump"], " ", state.Values["hours"], " ", state.Values["status"])
		}
		count(nil)
		if _, err := thing.Call(b.Context(), "set", map[string]any{"setpoint": 30.0}); err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Second) // it is read again by itself
		if got := read(); got != "state 30 false 50 success" {
			b.Error(got)
		}
		mu.Lock()
		before := requests
		mu.Unlock()
		read()
		mu.Lock()
		if n := requests - before; n != 3 { // blocks: a coil, and two of holding registers
			b.Errorf("%d requests for one reading", n)
		}
		mu.Unlock()
		count(mock.NoAnswer)
		if got := read(); got != "state <nil> <nil> <nil> fail" {
			b.Error(got)
		}
		if err := b.last(); err != nil {
			b.Errorf("a question changed what Run reports: %v", err)
		}
	})
}

// While a device is slow, a question ends with its own context, and the thing still measures.
func TestReadingThatTakesTooLong(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := modbusOf("mock", heating...)
		s.Interval, s.Timeout = conf.Duration{Duration: time.Minute}, conf.Duration{Duration: 10 * time.Second}
		thing := b.in(b.env(quiet), Options{Thing: "heating"}, s)
		defer b.run(thing)()
		b.board.Modbus("mock").Fault(mock.LateAnswer(5 * time.Second))
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := thing.(device.Reader).Read(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "heating") {
			b.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			b.Errorf("it took %v", took)
		}
		b.link.Forget()
		time.Sleep(90 * time.Second)
		if got := b.state("heating/state"); got["status"] != "success" {
			b.Error(got)
		}
	})
}
