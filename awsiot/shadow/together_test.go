package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudside "pithings/awsiot/cloud"
	"pithings/awsiot/internal/scheduletest"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// app writes what is desired, and keeps what the device applied.
type app struct {
	link    *linktest.Client
	mu      sync.Mutex
	applied map[string]map[string]any
}

func (a *app) settings(name string) Settings {
	return SettingsFunc(func(_ context.Context, desired map[string]any) Outcome {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.applied[name] = plain(desired)
		return Outcome{Reported: map[string]any{"echo": desired["a"]}}
	})
}

// document returns a shadow as the cloud has it.
func (a *app) document(ctx context.Context, name string) (state struct{ Desired, Reported map[string]any }, err error) {
	answers := make(chan mqttlink.Message, 1)
	stop, err := a.link.Subscribe(Topic("pi", name, GetAccepted), 1, func(_ context.Context, m mqttlink.Message) {
		select {
		case answers <- m:
		default:
		}
	})
	if err != nil {
		return state, err
	}
	defer stop()
	if err := a.link.Publish(ctx, mqttlink.Message{Topic: Topic("pi", name, Get), Payload: []byte(`{"clientToken":"app"}`)}); err != nil {
		return state, err
	}
	ctx, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	select {
	case m := <-answers:
		var doc struct {
			State struct{ Desired, Reported map[string]any }
		}
		err := json.Unmarshal(m.Payload, &doc)
		return doc.State, err
	case <-ctx.Done():
		return state, fmt.Errorf("the cloud does not answer for %q", name)
	}
}

// The device and our cloud side, with a bad network between them: at the end the shadows have
// what was reported last, and the device has applied what is desired.
func TestTogetherWithTheCloud(t *testing.T) {
	rounds := 16
	if testing.Short() {
		rounds = 8
	}
	for seed := range uint64(rounds) {
		synctest.Test(t, func(t *testing.T) { together(t, seed) })
	}
}

func together(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	link := linktest.New()
	defer link.Close()
	c, err := cloudside.New(cloudside.Options{Client: link})
	if err != nil {
		t.Fatal(err)
	}
	net := scheduletest.NewNetwork(link, seed)
	a := &app{link: link, applied: map[string]map[string]any{}}
	names := []string{"", "lamp", "door"}
	o := Options{Link: net, Thing: "pi"}
	for _, name := range names {
		o.Shadows = append(o.Shadows, Shadow{Name: name, Settings: a.settings(name), Connected: name == ""})
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for _, run := range []func(context.Context) error{c.Run, s.Run} {
		work.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	s.Online(true)
	reported := map[string]map[string]any{"": {}, "lamp": {}, "door": {}}
	for range 60 {
		name, key := names[r.IntN(3)], keys[r.IntN(3)]
		switch r.IntN(6) {
		case 0, 1:
			v := float64(r.IntN(9))
			if err := s.Report(name, map[string]any{key: v}); err != nil {
				t.Fatal(err)
			}
			reported[name][key] = v
		case 2, 3:
			desired := map[string]any{key: []any{nil, 1, map[string]any{"x": r.IntN(3)}}[r.IntN(3)]}
			payload := text(map[string]any{"state": map[string]any{"desired": desired}})
			if err := link.Publish(ctx, mqttlink.Message{Topic: Topic("pi", name, Update), Payload: []byte(payload)}); err != nil {
				t.Fatal(err)
			}
		case 4:
			time.Sleep(time.Duration(r.IntN(20_000)) * time.Millisecond)
		case 5:
			s.Online(r.IntN(3) > 0)
		}
	}
	net.Calm(true)
	time.Sleep(5 * time.Second) // what is late arrives
	s.Online(true)
	for _, name := range names { // the last change shows what was missed before
		payload := text(map[string]any{"state": map[string]any{"desired": map[string]any{"last": seed}}})
		if err := link.Publish(ctx, mqttlink.Message{Topic: Topic("pi", name, Update), Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Minute)
	agree := func(when string) {
		for _, name := range names {
			doc, err := a.document(ctx, name)
			if err != nil {
				t.Fatalf("seed %d, %s: %v, %+v", seed, when, err, s.Status())
			}
			a.mu.Lock()
			applied := a.applied[name]
			a.mu.Unlock()
			if len(doc.Desired)+len(applied) > 0 && !reflect.DeepEqual(applied, doc.Desired) {
				t.Errorf("seed %d, %s, %q: applied is %s, desired %s", seed, when, name, text(applied), text(doc.Desired))
			}
			for key, v := range reported[name] {
				if doc.Reported[key] != v {
					t.Errorf("seed %d, %s, %q: reported is %s, want %s", seed, when, name, text(doc.Reported), text(reported[name]))
				}
			}
			if st := s.Status()[name]; st.State != InStep || st.Problem != "" || (name == "") != (doc.Reported["connected"] == true) {
				t.Errorf("seed %d, %s, %q: %+v, reported %s", seed, when, name, st, text(doc.Reported))
			}
		}
	}
	agree("with the same connection")
	s.Online(false)
	s.Online(true)
	time.Sleep(5 * time.Minute)
	agree("with a new connection")
	stop()
	net.Close()
	work.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
