package pi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/mqttlink"
	"pithings/mqttlink/packet"
)

// world is an engine and a broker for one Pi: what it publishes comes back if it has subscribed to it.
type world struct {
	mu      sync.Mutex
	d       *Device
	began   time.Time
	filters []string
	full    bool             // too many messages have no PUBACK
	sent    []packet.Message // and not delivered yet
	all     []string
}

func newWorld(set *Settings) *world {
	w := &world{d: New(set, Device{Name: "dev-0001", Seed: 42}), began: time.Now()}
	for _, f := range w.d.Session().Filters {
		w.filters = append(w.filters, f.Topic)
	}
	return w
}

func (w *world) Free() int {
	if w.full {
		return 0
	}
	return 1
}

func (w *world) Publish(m packet.Message) {
	w.sent = append(w.sent, m)
	w.all = append(w.all, strings.TrimPrefix(m.Topic, "dev-0001/")+" "+string(m.Payload))
}

func (w *world) Reconnect() {}
func (w *world) Break()     {}
func (w *world) Leave()     {}
func (w *world) Join()      {}

// do is engine.Engine.Do.
func (w *world) do(f func(now time.Duration, out engine.Out)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(time.Since(w.began), w)
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	const step = 10 * time.Millisecond
	for range d / step {
		w.do(func(now time.Duration, out engine.Out) {
			if w.d.online && w.d.Wake() <= now {
				w.d.Tick(now, out)
			}
			for len(w.sent) > 0 && w.d.online {
				m := w.sent[0]
				w.sent = w.sent[1:]
				if slices.Contains(w.filters, m.Topic) {
					w.d.Receive(now, &m, out)
				}
			}
		})
		time.Sleep(step)
		synctest.Wait()
	}
}

// said returns what the Pi has published since it was asked last, without readings.
func (w *world) said() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.all {
		if !strings.HasPrefix(m, "bme680") {
			all = append(all, m)
		}
	}
	w.all = nil
	return all
}

// A Pi's flow: each motion brings a picture to its screen. One whose command cannot be sent, or whose
// answer does not come, fails, and the next is run.
func TestFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := settings()
		set.Flows, set.Interval, set.Motion = true, time.Hour, 0 // motion is the test's
		w := newWorld(set)
		flows := NewFlows()
		defer flows.Close()
		line := w.d.Line(w.do)
		if err := flows.Add(line); err != nil {
			t.Fatal(err)
		}
		w.do(w.d.Online)
		w.said()
		picture := func(n int) string { return fmt.Sprintf("http://192.0.2.7/pictures/0-%d.jpg", n) }
		whole := func(n int) []string {
			return []string{`TG_MS/motion {"isMotionDetected": true}`, "TG_Camera/capture {}", `TG_Camera/capture/finished {"lastClickedImage": "` + picture(n) + `"}`, `TG_Screen/display {"imageUri":"` + picture(n) + `"}`}
		}
		move := func() { w.do(func(now time.Duration, out engine.Out) { w.d.move(now, out); w.d.motion = Never }) }
		for n := 1; n <= 2; n++ {
			move()
			w.run(2 * time.Second)
			if got := w.said(); !slices.Equal(got, whole(n)) || set.Counts.Shown.Load() != uint64(n) {
				t.Fatalf("%q, want %q", got, whole(n))
			}
		}
		// The command is not answered within the step's time, because the Pi is away.
		move()
		w.run(20 * time.Millisecond)
		w.do(func(now time.Duration, _ engine.Out) { w.d.Offline(now) })
		w.run(40 * time.Second)
		if f := flows.Counts(); f.Failed.Load() != 1 || f.Succeeded.Load() != 2 {
			t.Errorf("%d failed, %d succeeded", f.Failed.Load(), f.Succeeded.Load())
		}
		if err := line.Publish(t.Context(), mqttlink.Message{Topic: "x"}); !errors.Is(err, errOffline) {
			t.Errorf("published by a Pi that is away: %v", err)
		}
		w.do(w.d.Online)
		w.run(2 * time.Second) // the picture of the failed one is announced
		w.said()
		move()
		w.run(2 * time.Second)
		if got := w.said(); !slices.Equal(got, whole(4)) {
			t.Errorf("%q, want %q", got, whole(4))
		}
		w.full = true
		if err := line.Publish(t.Context(), mqttlink.Message{Topic: "x", QoS: 1}); !errors.Is(err, errBusy) || len(w.said()) > 0 {
			t.Errorf("published beside as many as may be unacknowledged: %v", err)
		}
		w.full = false
		// The end aborts what runs.
		move()
		w.run(20 * time.Millisecond)
		if err := flows.Close(); err != nil {
			t.Error(err)
		}
		if f := flows.Counts(); f.Started.Load() != 5 || f.Succeeded.Load() != 3 || f.Aborted.Load() != 1 {
			t.Errorf("%d started, %d succeeded, %d aborted", f.Started.Load(), f.Succeeded.Load(), f.Aborted.Load())
		}
		if len(line.handlers) > 1 { // that of answers stays with the thing
			t.Errorf("%d handlers are left", len(line.handlers))
		}
	})
}

// A line has one handler for a topic, until it is cancelled.
func TestLine(t *testing.T) {
	d := New(settings(), Device{Name: "d", Seed: 1})
	l := d.Line(nil)
	var got []string
	hear := func(_ context.Context, m mqttlink.Message) { got = append(got, m.Topic+" "+string(m.Payload)) }
	cancel, err := l.SubscribeAll([]string{"a", "b"}, 1, hear)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.SubscribeAll([]string{"c", "a"}, 1, hear); !errors.Is(err, errSubscribed) || len(l.handlers) != 2 {
		t.Errorf("%v, %d handlers", err, len(l.handlers))
	}
	payload := []byte("1")
	for _, topic := range []string{"a", "b", "c"} {
		d.Receive(0, &packet.Message{Topic: topic, Payload: payload}, &recorder{})
	}
	if want := []string{"a 1", "b 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	cancel()
	if again, err := l.Subscribe("a", 1, hear); err != nil || len(l.handlers) != 1 {
		t.Errorf("%v, %d handlers", err, len(l.handlers))
	} else {
		again()
	}
}
