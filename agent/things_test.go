package agent

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/spool/control"
	"pithings/things"
)

// The API lists every thing with its type, state, readings and events.
func TestThingsAreListed(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	client := control.NewClient(l.agent.folder.Socket())
	defer client.Close()
	var all []ListedThing
	list := func() bool {
		all = nil
		if err := client.Do(t.Context(), "GET", "/api/v1/things", nil, &all); err != nil {
			t.Fatal(err)
		}
		return len(all) == 4 && len(all[0].Latest) > 0 && len(all[1].Readings) == 4 && len(all[2].Latest) > 0
	}
	l.move() // the camera takes a picture
	l.until("a reading of each quantity and an event of motion sensor and camera", list)
	for i, want := range []struct{ name, kind string }{{"TG_MS", "motion"}, {"bme680", "environment"}, {"TG_Camera", "camera"}, {"TG_Screen", "screen"}} {
		if one := all[i]; one.Name != want.name || one.Type != want.kind || one.State != "up" || one.Since.IsZero() {
			t.Errorf("%+v, want %v", one, want)
		}
	}
	temperature := all[1].Readings["temperature"]
	if v, ok := temperature.Value.(float64); !ok || v < -40 || v > 85 || temperature.Unit != "°C" || temperature.Class != "temperature" || temperature.Time.IsZero() {
		t.Errorf("%+v", temperature)
	}
	if all[0].Readings["motion"].Value == nil {
		t.Errorf("%+v", all[0])
	}
}

// waiting is a thing that ends when its context does and hold is closed.
type waiting struct {
	things.Thing
	hold, ended chan struct{}
}

func (w *waiting) Name() string            { return "waiting" }
func (w *waiting) Attach() (func(), error) { return func() {}, nil }
func (w *waiting) Run(ctx context.Context, _ func(error)) error {
	<-ctx.Done()
	<-w.hold
	close(w.ended)
	return nil
}

// A part that hangs keeps no other from its end: an output behind it is switched off.
func TestAPartThatHangsDelaysNoOther(t *testing.T) {
	free := make(chan struct{})
	close(free)
	hung := &waiting{hold: make(chan struct{}), ended: make(chan struct{})}
	output := &waiting{hold: free, ended: make(chan struct{})}
	for name, end := range map[string]func(*thingService){
		"end": func(s *thingService) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s.Run(ctx)
		},
		"reload": func(s *thingService) { s.leave(&change{next: &config.Config{}}) },
	} {
		t.Run(name, func(t *testing.T) {
			hung.hold, hung.ended, output.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
			s := &thingService{parts: []*part{{Thing: hung}, {Thing: output}}, health: newHealth(nil), log: slog.New(slog.DiscardHandler), running: t.Context()}
			if err := s.startAll(); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				end(s)
			}()
			select {
			case <-output.ended:
			case <-time.After(patience):
				t.Error("the output waits for the part that hangs")
			}
			close(hung.hold)
			<-done
		})
	}
}
