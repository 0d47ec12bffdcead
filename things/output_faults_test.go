package things

import (
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/conf"
	"pithings/hw/mock"
)

// remembering is an Env.State that fails on request.
func (b *bench) remembering(name string, s OutputSettings, locks *Interlocks, full *atomic.Bool) Thing {
	b.Helper()
	dir := b.TempDir()
	thing, err := s.Open(Options{Thing: name}, Env{Board: b.board, Link: b.link, Events: &b.events, Interlocks: locks, Log: quiet,
		State: func() (string, error) {
			if full.Load() {
				return "", errors.New("the disk is full")
			}
			return dir, nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	return thing
}

// An output that is on and cannot remember a new limit stays on, and so does its interlock.
func TestInterlockHoldsThroughARefusedCommand(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var locks Interlocks
		var full atomic.Bool
		up := b.remembering("up", OutputSettings{Pin: "GPIO5", AtStart: "keep", AtExit: "off", Interlock: []string{"down"}}, &locks, &full)
		down := b.remembering("down", OutputSettings{Pin: "GPIO6", AtStart: "off", AtExit: "off"}, &locks, &full)
		defer b.run(up)()
		defer b.run(down)()
		b.inject("up/set", "ON", false)
		full.Store(true)
		b.inject("up/set", `{"state":"on","for":"5s"}`, false) // refused
		b.inject("down/set", "ON", false)
		if !b.isOn("GPIO5") || b.isOn("GPIO6") {
			t.Errorf("up %v, down %v", b.isOn("GPIO5"), b.isOn("GPIO6"))
		}
	})
}

// What is on without a limit needs no note: a full disk does not keep the light off.
func TestOutputWithoutALimitNeedsNoNote(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var full atomic.Bool
		o := b.remembering("relay", OutputSettings{Pin: "GPIO27", AtStart: "keep", AtExit: "off"}, nil, &full)
		defer b.run(o)()
		full.Store(true)
		if _, err := o.Call(t.Context(), "set", map[string]any{"state": "on"}); err != nil || !b.isOn("GPIO27") {
			t.Errorf("%v, on: %v", err, b.isOn("GPIO27"))
		}
		if _, err := o.Call(t.Context(), "set", map[string]any{"state": "on", "for": "5s"}); err == nil {
			t.Error("a limit that cannot be remembered is taken")
		}
	})
}

// The broker keeps the last state. One whose report waits for the link as the program ends is
// published before the end.
func TestOutputReportsItsLastStateAtTheEnd(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		link := &stalling{Client: b.link, free: make(chan struct{})}
		s := OutputSettings{Pin: "GPIO27", AtStart: "off", AtExit: "keep"}
		thing, err := s.Open(Options{Thing: "relay"}, Env{Board: b.board, Link: link, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		stop := b.run(thing)
		link.stall.Store(true)
		for _, state := range []string{"on", "off", "on"} {
			if _, err := thing.Call(t.Context(), "set", map[string]any{"state": state}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		time.AfterFunc(lastReport/2, func() { close(link.free) })
		stop()
		if got, want := b.link.Transcript(), []string{off, on, off, on}; !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
	})
}

// An event has the time of the switching, not that of a report which had to wait.
func TestOutputReportsWhenItSwitched(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		s := OutputSettings{}
		conf.Fill(&s)
		s.Pin = "GPIO27"
		link := &stalling{Client: b.link, free: make(chan struct{})}
		thing, err := s.Open(Options{Thing: "relay"}, Env{Board: b.board, Link: link, Events: &b.events, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer b.run(thing)()
		var at []time.Time
		stop, err := thing.Watch("state", func(_ map[string]any, when time.Time) { at = append(at, when) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		link.stall.Store(true)
		first := time.Now()
		for _, state := range []string{"on", "off"} {
			if _, err := thing.Call(t.Context(), "set", map[string]any{"state": state}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		close(link.free)
		synctest.Wait()
		if want := []time.Time{first, first.Add(time.Minute)}; !slices.EqualFunc(at, want, time.Time.Equal) {
			t.Errorf("events at %v, want %v", at, want)
		}
	})
}

// A receiver that panics ends neither the program nor the output.
func TestOutputOutlivesAReceiver(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		o := b.output(OutputSettings{}, t.TempDir())
		defer b.run(o)()
		stop, err := o.Watch("state", func(map[string]any, time.Time) { panic("no such rule") })
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range []string{"ON", "OFF", "ON"} {
			b.inject("relay/set", state, false)
			synctest.Wait()
		}
		stop()
		if got, want := b.link.Transcript(), []string{off, on, off, on}; !slices.Equal(got, want) || !b.isOn("GPIO27") || b.last() != nil {
			t.Errorf("published %q, want %q; %v", got, want, b.last())
		}
	})
}

// On a full disk a new output keeps its level: where no folder can be made is no note.
func TestOutputKeepsItsLevelOnAFullDisk(t *testing.T) {
	for dir, want := range map[string]bool{filepath.Join(t.TempDir(), "relay"): true, "": false} {
		onBench(t, mock.Options{}, func(b *bench) {
			b.board.Pin("GPIO27").Set(gpio.High)
			s := OutputSettings{Pin: "GPIO27", AtStart: "keep", AtExit: "keep"}
			thing, err := s.Open(Options{Thing: "relay"}, Env{Board: b.board, Link: b.link, Log: quiet, State: func() (string, error) { return dir, errors.New("the disk is full") }})
			if err != nil {
				t.Fatal(err)
			}
			defer b.run(thing)()
			if b.isOn("GPIO27") != want {
				t.Errorf("%q: on is %v", dir, !want)
			}
		})
	}
}

// An output that is left on, for a reload or because its line has gone, keeps the others off.
func TestInterlockHoldsForWhatIsLeftOn(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var locks Interlocks
		all := b.outputs(t.TempDir(), &locks, map[string]OutputSettings{
			"up":   {Pin: "GPIO5", AtStart: "keep", AtExit: "keep", Interlock: []string{"down"}},
			"down": {Pin: "GPIO6"},
		})
		defer b.run(all["down"])()
		stop := b.run(all["up"])
		b.inject("up/set", "ON", false)
		stop()
		b.inject("down/set", "ON", false)
		if !b.isOn("GPIO5") || b.isOn("GPIO6") {
			t.Errorf("between two runs: up %v, down %v", b.isOn("GPIO5"), b.isOn("GPIO6"))
		}
		defer b.run(all["up"])()
		b.board.Pin("GPIO5").Unplug()
		time.Sleep(30 * time.Second) // it is opened in vain meanwhile
		b.inject("down/set", "ON", false)
		if b.isOn("GPIO6") {
			t.Error("on while the line of the other has gone")
		}
		b.board.Pin("GPIO5").Replug()
		time.Sleep(30 * time.Second)
		b.inject("up/set", "OFF", false)
		b.inject("down/set", "ON", false)
		if !b.isOn("GPIO6") {
			t.Error("off though the other is off")
		}
		locks.Forget("down")
		b.inject("up/set", "ON", false)
		if !b.isOn("GPIO5") {
			t.Error("an output that was taken out keeps others off")
		}
	})
}
