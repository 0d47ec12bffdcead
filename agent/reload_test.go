package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/spool/control"
	"pithings/spool/pub"
)

// reloader is a lab whose configuration can be replaced.
type reloader struct {
	*lab
	mu   sync.Mutex
	text string
}

const twoThings = `
things:
  - {name: TG_MS, type: motion, pin: GPIO17, warm_up: 0s, hold: 0s, publish: both}
  - {name: bme680, type: environment, interval: 100ms}
`

func newReloader(t *testing.T, text string) *reloader {
	r := &reloader{lab: newLab(t, mock.Options{}, text), text: text}
	level := new(slog.LevelVar)
	r.agent.o.Level = level
	r.agent.o.Load = func(config.Over) (*config.Config, []conf.Warning, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return config.Parse("test", []byte("http: {listen: \"127.0.0.1:0\"}\nbroker: {listen: \"127.0.0.1:0\"}\n"+r.text), nil)
	}
	return r
}

func (r *reloader) reload(text string) (Reloaded, error) {
	r.mu.Lock()
	r.text = text
	r.mu.Unlock()
	return r.agent.Reload(r.t.Context())
}

func (r *reloader) mustReload(text string) Reloaded {
	r.t.Helper()
	did, err := r.reload(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return did
}

// A reload takes things, flows, intervals and the log's level; what has not changed keeps
// working on a connection that stays.
func TestReloadTakesWhatChangesAndKeepsTheRest(t *testing.T) {
	r := newReloader(t, twoThings)
	connects, since := r.agent.links.shared.Stats().Connects, r.agent.Health().Things()["TG_MS"].Since
	if did := r.mustReload(twoThings); len(did.Things)+len(did.Connections)+len(did.Restart) > 0 || did.Flows {
		t.Errorf("the same configuration changed %+v", did)
	}

	did := r.mustReload("log: {level: warn}\npictures: {max_count: 7}\n" + strings.Replace(fmt.Sprintf(fourThings, 90, ""), "interval: 100ms", "interval: 200ms", 1))
	if want := []string{"bme680", "TG_Camera", "TG_Screen"}; !slices.Equal(did.Things, want) || len(did.Connections) > 0 || !did.Flows || !slices.Equal(did.Restart, []string{"pictures.max_count"}) {
		t.Errorf("%+v", did)
	}
	r.until("the new parts", func() bool {
		h := r.agent.Health().Things()
		return h["TG_Camera"].State == "up" && h["TG_Screen"].State == "up" && h["bme680"].State == "up"
	})
	r.move() // motion → picture → screen
	r.message("TG_Screen/display")
	r.get("http://" + r.agent.WebAddr() + "/screen/TG_Screen.png")
	if s := r.agent.links.shared.Stats(); s.Connects != connects {
		t.Errorf("the connection was made anew: %d connects", s.Connects)
	}
	if now := r.agent.Health().Things()["TG_MS"].Since; !now.Equal(since) {
		t.Error("a thing that did not change was made anew")
	}
	if l := r.agent.o.Level.Level(); l != slog.LevelWarn {
		t.Errorf("the log's level is %v", l)
	}

	did = r.mustReload("things: [{name: TG_MS, type: motion, pin: GPIO17, warm_up: 0s, hold: 0s, publish: both}]\n")
	if names := r.agent.Health().Names(); !slices.Equal(names, []string{"TG_MS"}) || !slices.Contains(did.Things, "TG_Camera") {
		t.Errorf("%v are left; %+v", names, did)
	}
	r.move()
}

// A wrong configuration changes nothing, and says all that is wrong.
func TestWrongConfigurationKeepsTheOldOne(t *testing.T) {
	r := newReloader(t, twoThings)
	connects := r.agent.links.shared.Stats().Connects
	_, err := r.reload("things: [{name: TG_MS, type: motion, pni: GPIO17}, {name: a+b, type: camera}]\n")
	var problems *conf.Error
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), `did you mean "pin"?`) || !strings.Contains(err.Error(), "wildcard") {
		t.Errorf("%v", err)
	}
	// What only shows when things have been made anew is taken back, too.
	_, err = r.reload(strings.Replace(twoThings, "publish: both", "publish: detected", 1) + "flows: [{file: /does/not/exist.yaml}]\n")
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist.yaml") {
		t.Errorf("a flow whose file is missing was taken: %v", err)
	}
	r.until("the motion sensor", func() bool { return r.agent.Health().Things()["TG_MS"].State == "up" })
	r.move()
	if s := r.agent.links.shared.Stats(); s.Connects != connects {
		t.Errorf("%d connects", s.Connects)
	}
}

// A connection with other options is made anew: under load nothing is lost, and the order
// stays.
func TestReloadUnderLoadLosesNothing(t *testing.T) {
	const lines, reloads = 1000, 4
	r := newReloader(t, twoThings)
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := pub.Run(t.Context(), pub.Options{State: r.agent.o.State, Link: mqttlink.DefaultOptions(), Log: slog.New(slog.DiscardHandler),
			Input: pub.Lines(in, mqttlink.Message{Topic: "t", QoS: 1}), Verdicts: out})
		out.Close()
		ended <- err
	}()
	room := make(chan struct{}, 50) // lines that are not reported safe
	go func() {
		for sc := bufio.NewScanner(answers); sc.Scan(); {
			if strings.HasPrefix(sc.Text(), "safe ") {
				<-room
			}
		}
	}()
	progress := make(chan int, lines)
	go func() {
		for i := range lines {
			room <- struct{}{}
			if _, err := fmt.Fprintf(feed, "%d\n", i); err != nil {
				break
			}
			progress <- i
		}
		feed.Close()
	}()
	for n := range reloads {
		for range lines / (reloads + 1) {
			<-progress
		}
		if did := r.mustReload(fmt.Sprintf("mqtt: {window: %d}\n", 21+n) + twoThings); !slices.Equal(did.Connections, []string{"shared"}) {
			t.Fatalf("%+v", did)
		}
	}
	if err := <-ended; err != nil {
		t.Fatalf("pub: %v", err)
	}
	var got []string
	r.until("all lines", func() bool {
		r.lab.mu.Lock()
		defer r.lab.mu.Unlock()
		got = got[:0]
		seen := map[string]bool{}
		for _, m := range r.heard {
			if m.Topic == "t" && !seen[string(m.Payload)] {
				seen[string(m.Payload)] = true
				got = append(got, string(m.Payload))
			}
		}
		return len(got) == lines
	})
	for i, line := range got {
		if line != fmt.Sprint(i) {
			t.Fatalf("line %d is %s", i, line)
		}
	}
}

// Other processes ask for a reload through the socket.
func TestReloadThroughTheSocket(t *testing.T) {
	r := newReloader(t, twoThings)
	c := control.NewClient(r.agent.folder.Socket())
	defer c.Close()
	if did, err := AskReload(t.Context(), c); err != nil || len(did.Things) > 0 {
		t.Errorf("%+v, %v", did, err)
	}
	r.mu.Lock()
	r.text = "things: [{name: x}]\n"
	r.mu.Unlock()
	if _, err := AskReload(t.Context(), c); err == nil || !strings.Contains(err.Error(), "has no type") {
		t.Errorf("%v", err)
	}
}
