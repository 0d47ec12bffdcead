package things

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

const on, off = `relay/state {"state":"on"}`, `relay/state {"state":"off"}`

// output makes a relay on GPIO27 whose state folder is dir.
func (b *bench) output(s OutputSettings, dir string) *Output {
	b.Helper()
	return b.outputs(dir, nil, map[string]OutputSettings{"relay": s})["relay"]
}

func (b *bench) outputs(dir string, locks *Interlocks, all map[string]OutputSettings) map[string]*Output {
	b.Helper()
	made := map[string]*Output{}
	for name, s := range all {
		if s.Pin == "" {
			s.Pin = "GPIO27"
		}
		for _, d := range []struct {
			v *string
			d string
		}{{&s.AtStart, "off"}, {&s.AtExit, "off"}, {&s.Retained, "ignore"}} {
			if *d.v == "" {
				*d.v = d.d
			}
		}
		thing, err := s.Open(Options{Thing: name}, Env{Board: b.board, Link: b.link, Events: &b.events, Interlocks: locks, Log: quiet,
			State: func() (string, error) { return dir, nil }})
		if err != nil {
			b.Fatal(err)
		}
		made[name] = thing.(*Output)
	}
	return made
}

func (b *bench) isOn(pin string) bool { return b.board.Pin(pin).Level() == gpio.High }

func TestOutputCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		payloads []string
		after    time.Duration
		want     []string // beyond the state at the start
	}{
		"on and off":                    {[]string{`{"state":"on"}`, `{"state":"off"}`}, 0, []string{on, off}},
		"bare":                          {[]string{"ON", "OFF", "TOGGLE", "toggle", " on\n"}, 0, []string{on, off, on, off, on}},
		"twice":                         {[]string{"ON", "ON"}, 0, []string{on}},
		"for a while":                   {[]string{`{"state":"on","for":"5s"}`}, 6 * time.Second, []string{on, off}},
		"for a while, not over":         {[]string{`{"state":"on","for":"5s"}`}, 4 * time.Second, []string{on}},
		"prolonged":                     {[]string{`{"state":"on","for":"5s"}`, `{"state":"on","for":"1m"}`}, 50 * time.Second, []string{on}},
		"for ever after all":            {[]string{`{"state":"on","for":"5s"}`, `ON`}, time.Hour, []string{on}},
		"off ends the while":            {[]string{`{"state":"on","for":"5s"}`, `OFF`}, time.Minute, []string{on, off}},
		"off for a while":               {[]string{"ON", `{"state":"off","for":"5s"}`}, time.Minute, []string{on, off, on}},
		"off for a while, and was off":  {[]string{`{"state":"off","for":"5s"}`}, time.Minute, nil},
		"toggled for a while":           {[]string{`{"state":"toggle","for":"5s"}`}, time.Minute, []string{on, off}},
		"capital letters":               {[]string{`{"state":"ON"}`}, 0, []string{on}},
		"no state":                      {[]string{`{}`, ``, `{"state":1}`, `[]`, `ONE`, "\xff", `{"state":"on"`, strings.Repeat("a", 1<<20)}, 0, nil},
		"no time":                       {[]string{`{"state":"on","for":"5"}`, `{"state":"on","for":"-5s"}`, `{"state":"on","for":"0s"}`, `{"state":"on","for":"10000h"}`, `{"state":"on","for":5}`}, 0, nil},
		"keys that mean something else": {[]string{`{"state":"on","brightness":7}`}, 0, []string{on}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				stop := b.run(b.output(OutputSettings{}, t.TempDir()))
				for _, p := range tc.payloads {
					b.inject("relay/set", p, false)
				}
				time.Sleep(tc.after)
				synctest.Wait()
				got := b.link.Transcript()
				if !slices.Equal(got[1:], tc.want) || got[0] != off {
					t.Errorf("published %q", got)
				}
				stop()
				if b.isOn("GPIO27") {
					t.Error("on after the end")
				}
			})
		})
	}
}

func TestOutputStateIsRetained(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		stop := b.run(b.output(OutputSettings{}, t.TempDir()))
		stop()
		m := b.link.Published("relay/state")
		if len(m) != 1 || !m[0].Retain || m[0].QoS != 1 {
			t.Errorf("%+v", m)
		}
	})
}

// A retained command is not what a client wants now.
func TestOutputDoesNotObeyTheRetained(t *testing.T) {
	for retained, want := range map[string]bool{"ignore": false, "obey": true} {
		onBench(t, mock.Options{}, func(b *bench) {
			b.inject("relay/set", "ON", true) // kept by the broker
			stop := b.run(b.output(OutputSettings{Retained: retained}, t.TempDir()))
			if b.isOn("GPIO27") != want {
				t.Errorf("retained: %s, and it is %v", retained, !want)
			}
			stop()
		})
	}
}

// A retained toggle would switch at each connect.
func TestOutputDoesNotObeyARetainedToggle(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		b.inject("relay/set", "TOGGLE", true)
		stop := b.run(b.output(OutputSettings{Retained: "obey"}, t.TempDir()))
		if b.isOn("GPIO27") {
			t.Error("it is on")
		}
		stop()
	})
}

func TestOutputAtStartAndExit(t *testing.T) {
	for _, tc := range []struct {
		start, exit     string
		low             bool
		before          gpio.Level
		running, ending gpio.Level
	}{
		{"off", "off", false, gpio.High, gpio.Low, gpio.Low},
		{"on", "off", false, gpio.Low, gpio.High, gpio.Low},
		{"on", "keep", false, gpio.Low, gpio.High, gpio.High},
		{"off", "on", false, gpio.Low, gpio.Low, gpio.High},
		{"keep", "keep", false, gpio.High, gpio.High, gpio.High},
		{"keep", "keep", false, gpio.Low, gpio.Low, gpio.Low},
		{"keep", "off", false, gpio.High, gpio.High, gpio.Low},
		{"off", "off", true, gpio.Low, gpio.High, gpio.High},
		{"on", "off", true, gpio.High, gpio.Low, gpio.High},
		{"keep", "keep", true, gpio.Low, gpio.Low, gpio.Low},
	} {
		onBench(t, mock.Options{}, func(b *bench) {
			pin := b.board.Pin("GPIO27")
			pin.Set(tc.before)
			stop := b.run(b.output(OutputSettings{AtStart: tc.start, AtExit: tc.exit, ActiveLow: tc.low}, t.TempDir()))
			running := pin.Level()
			changes := pin.Changes()
			stop()
			if running != tc.running || pin.Level() != tc.ending {
				t.Errorf("%+v: %v, then %v", tc, running, pin.Level())
			}
			for _, c := range changes { // it never had another level as an output
				if c.Level != tc.running {
					t.Errorf("%+v: changes %v", tc, changes)
				}
			}
		})
	}
}

func TestOutputMaxOn(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		defer b.run(b.output(OutputSettings{MaxOn: seconds(60)}, t.TempDir()))()
		for range 5 { // which does not extend it
			b.inject("relay/set", `{"state":"on","for":"1h"}`, false)
			time.Sleep(11 * time.Second)
		}
		if !b.isOn("GPIO27") {
			t.Error("off after 55 s")
		}
		time.Sleep(6 * time.Second)
		if b.isOn("GPIO27") {
			t.Error("on after 61 s")
		}
		b.inject("relay/set", "ON", false)
		time.Sleep(59 * time.Second)
		if !b.isOn("GPIO27") {
			t.Error("off after 59 s of the next time")
		}
	})
}

// What lasts for a while does not outlive a kill: the line keeps its level, and nothing would
// switch it off.
func TestOutputAfterAKill(t *testing.T) {
	for name, tc := range map[string]struct {
		settings OutputSettings
		command  string
		want     bool
	}{
		"max_on":              {OutputSettings{AtStart: "keep", AtExit: "keep", MaxOn: seconds(600)}, "ON", false},
		"for":                 {OutputSettings{AtStart: "keep", AtExit: "keep"}, `{"state":"on","for":"1h"}`, false},
		"without a limit":     {OutputSettings{AtStart: "keep", AtExit: "keep"}, "ON", true},
		"off before the kill": {OutputSettings{AtStart: "keep", AtExit: "keep", MaxOn: seconds(600)}, "OFF", false},
		"max_on, and off":     {OutputSettings{AtStart: "off", AtExit: "keep", MaxOn: seconds(600)}, "ON", false},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				dir := t.TempDir()
				first := b.output(tc.settings, dir)
				stop := b.run(first)
				b.inject("relay/set", tc.command, false)
				// What a kill leaves: the line as it is, and the files.
				left, err := os.ReadFile(filepath.Join(dir, noteFile))
				first.AtExit = outputKeep
				stop()
				if err == nil {
					if err := os.WriteFile(filepath.Join(dir, noteFile), left, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				stop = b.run(b.output(tc.settings, dir))
				if b.isOn("GPIO27") != tc.want {
					t.Errorf("on: %v, at the next start", !tc.want)
				}
				stop()
			})
		})
	}
}

func TestInterlock(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var locks Interlocks
		up := OutputSettings{Pin: "GPIO5", Interlock: []string{"down"}}
		all := b.outputs(t.TempDir(), &locks, map[string]OutputSettings{"up": up, "down": {Pin: "GPIO6"}, "lamp": {Pin: "GPIO7"}})
		for _, o := range all {
			defer b.run(o)()
		}
		for _, step := range []struct {
			topic, payload string
			up, down, lamp bool
		}{
			{"up/set", "ON", true, false, false},
			{"down/set", "ON", true, false, false},
			{"down/set", "TOGGLE", true, false, false},
			{"lamp/set", "ON", true, false, true},
			{"up/set", "OFF", false, false, true},
			{"down/set", "ON", false, true, true},
			{"up/set", "ON", false, true, true}, // the rule holds both ways
			{"down/set", "OFF", false, false, true},
			{"up/set", `{"state":"on","for":"5s"}`, true, false, true},
		} {
			b.inject(step.topic, step.payload, false)
			if b.isOn("GPIO5") != step.up || b.isOn("GPIO6") != step.down || b.isOn("GPIO7") != step.lamp {
				t.Errorf("after %s %s: up %v, down %v, lamp %v", step.topic, step.payload, b.isOn("GPIO5"), b.isOn("GPIO6"), b.isOn("GPIO7"))
			}
		}
		time.Sleep(6 * time.Second)
		b.inject("down/set", "ON", false)
		if !b.isOn("GPIO6") {
			t.Error("the interlock holds on after its output was switched off by itself")
		}
	})
}

// Both are to be on at the start: the second one is not.
func TestInterlockAtTheStart(t *testing.T) {
	for _, start := range []string{"on", "keep"} {
		onBench(t, mock.Options{}, func(b *bench) {
			var locks Interlocks
			b.board.Pin("GPIO5").Set(gpio.High)
			b.board.Pin("GPIO6").Set(gpio.High)
			all := b.outputs(t.TempDir(), &locks, map[string]OutputSettings{
				"up":   {Pin: "GPIO5", AtStart: start, Interlock: []string{"down"}},
				"down": {Pin: "GPIO6", AtStart: start},
			})
			defer b.run(all["up"])()
			defer b.run(all["down"])()
			if !b.isOn("GPIO5") || b.isOn("GPIO6") {
				t.Errorf("%s: up %v, down %v", start, b.isOn("GPIO5"), b.isOn("GPIO6"))
			}
		})
	}
}

// A line that goes and comes back is as at_start says, and commands meanwhile do nothing.
func TestOutputThatGoes(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		defer b.run(b.output(OutputSettings{}, t.TempDir()))()
		pin := b.board.Pin("GPIO27")
		b.inject("relay/set", "ON", false)
		pin.Unplug()
		b.inject("relay/set", "TOGGLE", false)
		time.Sleep(30 * time.Second)
		if b.last() == nil {
			t.Error("the fault is not reported")
		}
		b.inject("relay/set", "ON", false)
		pin.Replug()
		time.Sleep(30 * time.Second)
		if err := b.last(); err != nil || b.isOn("GPIO27") {
			t.Errorf("%v, on: %v", err, b.isOn("GPIO27"))
		}
		b.inject("relay/set", "ON", false)
		if !b.isOn("GPIO27") {
			t.Error("not switched after it came back")
		}
		want := []string{off, on, off, on}
		if got := b.link.Transcript(); !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
	})
}

// Without a place for the note, what has to end by itself is not begun.
func TestOutputThatCannotRemember(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := OutputSettings{Pin: "GPIO27", AtStart: "keep", AtExit: "off", Retained: "ignore", MaxOn: seconds(60)}
		thing, err := s.Open(Options{Thing: "relay"}, Env{Board: b.board, Link: b.link, Log: quiet, State: func() (string, error) { return "", errors.New("the disk is full") }})
		if err != nil {
			t.Fatal(err)
		}
		defer b.run(thing)()
		if _, err := thing.Call(t.Context(), "set", map[string]any{"state": "on"}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Error(err)
		}
		if b.isOn("GPIO27") {
			t.Error("it is on")
		}
	})
}

// Flows of this process switch it without the broker, and see its state.
func TestOutputAsAnActor(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		o := b.output(OutputSettings{}, t.TempDir())
		defer b.run(o)()
		var seen []any
		stop, err := o.Watch("State", func(v map[string]any, _ time.Time) { seen = append(seen, v["state"]) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		for _, in := range []map[string]any{{"state": "on"}, {"state": "toggle"}, {"state": "on", "for": "5s"}} {
			if _, err := o.Call(t.Context(), "SET", in); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !slices.Equal(seen, []any{"on", "off", "on", "off"}) {
			t.Errorf("seen %v", seen)
		}
		for _, in := range []map[string]any{nil, {"state": "open"}, {"state": "on", "for": "soon"}, {"state": true}} {
			if _, err := o.Call(t.Context(), "set", in); err == nil {
				t.Errorf("%v is taken", in)
			}
		}
		if _, err := o.Call(t.Context(), "explode", nil); err == nil {
			t.Error("it explodes")
		}
	})
}

// A link that takes no messages holds up reports, and no switching by time.
func TestOutputIsSwitchedOffThoughNothingIsPublished(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := OutputSettings{}
		conf.Fill(&s)
		s.Pin = "GPIO27"
		link := &stalling{Client: b.link, free: make(chan struct{})}
		thing, err := s.Open(Options{Thing: "relay"}, Env{Board: b.board, Link: link, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		stop := b.run(thing)
		link.stall.Store(true)
		go thing.Call(t.Context(), "set", map[string]any{"state": "on", "for": "5s"})
		time.Sleep(10 * time.Second)
		if b.isOn("GPIO27") {
			t.Error("on after 10 s")
		}
		close(link.free)
		stop()
	})
}

func FuzzOutputCommand(f *testing.F) {
	for _, s := range []string{`{"state":"on"}`, `ON`, `{"state":"off","for":"5s"}`, `{"state":null}`, "\xff", `{"for":"5s"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseCommand(payload)
		if err == nil && (!slices.Contains([]string{"on", "off", "toggle"}, c.State) || c.span < 0 || c.span > longestFor) {
			t.Errorf("%q: %+v", payload, c)
		}
	})
}

var _ mqttlink.Client = (*stalling)(nil)

func (s *stalling) Publish(ctx context.Context, m mqttlink.Message) error {
	if s.stall.Load() {
		select {
		case <-s.free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Client.Publish(ctx, m)
}

// stalling is a link whose Publish can be made to wait.
type stalling struct {
	mqttlink.Client
	stall atomic.Bool
	free  chan struct{}
}
