package engine

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/flowyaml"
	"pithings/mqttlink/clock"
)

// shelf is a Keeper in memory, which outlives engines.
type shelf struct {
	mu  sync.Mutex
	all map[string]map[string][]byte
	n   int // writes
}

func newShelf() *shelf { return &shelf{all: map[string]map[string][]byte{}} }

func (s *shelf) Load(deployment string) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.all[deployment]), nil
}

func (s *shelf) Save(deployment, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if data == nil {
		delete(s.all[deployment], name)
		return nil
	}
	if s.all[deployment] == nil {
		s.all[deployment] = map[string][]byte{}
	}
	s.all[deployment][name] = data
	return nil
}

// copy is what a power cut leaves.
func (s *shelf) copy() *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newShelf()
	for name, files := range s.all {
		c.all[name] = maps.Clone(files)
	}
	return c
}

// machine is a Pi with a clock of its own, which a test sets.
type machine struct {
	mu     sync.Mutex
	offset time.Duration // of the wall clock against the true time
	synced bool
	booted time.Time
	boot   int
}

func (m *machine) wall() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.offset)
}

// set sets the wall clock right by so much, and says that it is right.
func (m *machine) set(offset time.Duration) {
	m.mu.Lock()
	m.offset, m.synced = offset, true
	m.mu.Unlock()
}

// unset lets the machine boot with a wall clock that is wrong by so much.
func (m *machine) unset(offset time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset, m.synced, m.booted = offset, false, time.Now()
	m.boot++
}

// root has the files that say how the clock is.
func (m *machine) root() fs.FS {
	return fstest.MapFS{
		"proc/sys/kernel/random/boot_id": {Data: fmt.Appendf(nil, "00000000-0000-4000-8000-%012d\n", m.boot)},
		"run/chrony/chronyd.pid":         {Data: []byte("1")}, // a service that will set the clock
	}
}

func (m *machine) clock(dir string) *clock.Clock {
	booted := m.booted
	return clock.New(clock.Options{Dir: dir, Machine: &clock.Machine{
		Root: m.root(), Now: m.wall,
		Synchronised: func() (bool, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.synced, nil
		},
		Uptime: func() time.Duration { return time.Since(booted) },
	}})
}

// home is an engine with things that note when they are called.
type home struct {
	*testing.T
	e      *Engine
	device *fake
	shelf  *shelf
	log    strings.Builder
	mu     sync.Mutex
	calls  []string
	wall   func() time.Time
	record *record
	layout string
	dir    string // of the file of the boots

	makeClock func() *clock.Clock // of a process; nil: the time is known
	stopClock context.CancelFunc
}

func newHome(t *testing.T) *home {
	h := &home{T: t, device: &fake{}, shelf: newShelf(), record: newRecord(), layout: "01-02 15:04:05", dir: t.TempDir()}
	h.device.answer = func(_ context.Context, action string, input map[string]any) (map[string]any, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls = append(h.calls, strings.TrimSuffix(fmt.Sprint(time.Now().UTC().Format(h.layout), " ", action, fmt.Sprint(input)[3:]), "[]"))
		return map[string]any{"n": float64(len(h.calls))}, nil
	}
	h.begin()
	t.Cleanup(func() { h.end() })
	return h
}

// begin starts an engine, as a new process does.
func (h *home) begin() {
	h.end()
	var c *clock.Clock
	if h.makeClock != nil {
		c = h.makeClock()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx)
		}()
		h.stopClock = func() { cancel(); <-ended }
	}
	h.e = New(Options{Keeper: h.shelf, Recorder: h.record, Clock: c, Wall: h.wall, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		Device: func(*flow.Deployment, flow.Binding) (device.Actor, error) { return h.device, nil }})
}

// end ends a process.
func (h *home) end() {
	if h.e != nil {
		h.e.Close()
	}
	if h.stopClock != nil {
		h.stopClock()
		h.stopClock = nil
	}
}

// restart ends the process and begins another one some time later. A kill leaves
// what was kept at that moment.
func (h *home) restart(kill bool, off time.Duration, text string) {
	h.Helper()
	synctest.Wait()
	left := h.shelf.copy()
	h.end()
	if kill {
		h.shelf = left
	}
	sleep(off)
	h.begin()
	h.deploy(text)
}

func (h *home) deploy(text string) {
	h.Helper()
	f, err := flowyaml.Parse("x.yaml", []byte(text), flow.Known{})
	if err != nil {
		h.Fatal(err)
	}
	if err := h.e.Deploy(f.Deployment); err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
}

func (h *home) start(name string) {
	h.Helper()
	if _, err := h.e.Start("X", name, nil); err != nil {
		h.Fatal(err)
	}
}

func (h *home) happens(key string, value any) {
	h.device.happens(map[string]any{key: value}, time.Time{})
	synctest.Wait()
}

func (h *home) want(calls ...string) {
	h.Helper()
	synctest.Wait()
	if got := strings.Join(h.calls, ", "); got != strings.Join(calls, ", ") {
		h.Errorf("calls: %s\nwant:  %s", got, strings.Join(calls, ", "))
	}
}

const waiting = `name: X
steps:
  - {name: On, thing: lamp, action: on}
  - {name: Wait, wait: 10m}
  - {name: Off, thing: lamp, action: off}
`

// TestWaitSurvivesRestart: the deadline of a wait is kept, whether the process ended
// or was killed.
func TestWaitSurvivesRestart(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill bool
		off  time.Duration
		want string
	}{
		{"no restart", false, -1, "01-01 00:10:00 off"},
		{"ended", false, time.Minute, "01-01 00:10:00 off"},
		{"killed", true, time.Minute, "01-01 00:10:00 off"},
		{"away longer than the wait", true, time.Hour, "01-01 01:04:00 off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				h.deploy(waiting)
				h.start("X")
				sleep(4 * time.Minute)
				if tc.off >= 0 {
					h.restart(tc.kill, tc.off, waiting)
				}
				sleep(time.Hour)
				h.want("01-01 00:00:00 on", tc.want)
				if len(h.shelf.all["X"]) != 0 {
					t.Errorf("kept after the end: %v", h.shelf.all["X"])
				}
				if tc.kill {
					return // the record has the end of the process that was killed, too
				}
				if got := h.record.story(0); strings.Contains(got, "ABORTED") || !strings.HasSuffix(got, "X_SUCCEEDED") {
					t.Errorf("%s", got)
				}
			})
		})
	}
}

// TestWaitIsCancelled: an execution that waits can be aborted, before and after a
// restart, and nothing is kept of it.
func TestWaitIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(waiting)
		h.start("X")
		sleep(time.Minute)
		h.restart(false, 0, waiting)
		if err := h.e.Abort(h.record.order[0]); err != nil {
			t.Fatal(err)
		}
		sleep(time.Hour)
		h.want("01-01 00:00:00 on")
		for name := range h.shelf.all["X"] {
			if strings.HasPrefix(name, waitPrefix) {
				t.Errorf("%s is kept", name)
			}
		}
		if s := h.record.ended[h.record.order[0]].Status; s != flow.Aborted {
			t.Errorf("it ended %s", s)
		}
	})
}

const warm = `name: X
trigger: {thing: room, event: StateChanged, when: value > 30, for: 5m}
steps:
  - {name: Warn, thing: phone, action: warn, input: {at: "${value2}"}}
`

// TestFor: a condition has to hold that long, starts the flow once, and is armed
// again when it was false.
func TestFor(t *testing.T) {
	text := strings.Replace(warm, "${value2}", "${event.value}", 1)
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(text)
		h.happens("value", 31)
		sleep(4 * time.Minute)
		h.happens("value", 29) // 4 minutes are not 5
		sleep(4 * time.Minute)
		h.happens("value", 32)
		sleep(2 * time.Minute)
		h.happens("value", 35)
		sleep(time.Hour)
		h.happens("value", 36) // it is warm still
		sleep(time.Hour)
		h.want("01-01 00:13:00 warn[at:35]")
		h.happens("value", 20)
		h.happens("value", 40)
		sleep(time.Hour)
		h.want("01-01 00:13:00 warn[at:35]", "01-01 02:15:00 warn[at:40]")
	})
}

// TestForSurvivesRestart: for how long a condition has been true is kept.
func TestForSurvivesRestart(t *testing.T) {
	text := strings.Replace(warm, "${value2}", "${event.value}", 1)
	for _, kill := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHome(t)
			h.deploy(text)
			h.happens("value", 31)
			sleep(3 * time.Minute)
			h.restart(kill, time.Minute, text)
			sleep(3 * time.Minute)
			h.want("01-01 00:05:00 warn[at:31]")
			h.restart(kill, time.Minute, text)
			h.happens("value", 33) // it was reported already
			sleep(time.Hour)
			h.want("01-01 00:05:00 warn[at:31]")
		})
	}
}

// machine has the home run on a machine with a clock of its own.
func (h *home) machine(m *machine) {
	h.wall = m.wall
	h.makeClock = func() *clock.Clock { return m.clock(h.dir) }
	h.begin()
}

func parse(t *testing.T, text string) error {
	t.Helper()
	_, err := flowyaml.Parse("x.yaml", []byte(text), flow.Known{})
	return err
}

// sleep lets time pass, and what comes due be done.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestForBeginsAnewWithARevision: for how long a condition was true is the revision's
// that saw it, also if one between needed to keep nothing.
func TestForBeginsAnewWithARevision(t *testing.T) {
	text := strings.Replace(warm, "${value2}", "${event.value}", 1)
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		for i, s := range []string{text, strings.Replace(text, ", for: 5m", "", 1), text} {
			f, err := flowyaml.Parse("x.yaml", []byte(s), flow.Known{})
			if err != nil {
				t.Fatal(err)
			}
			f.Deployment.Revision = i + 1
			if err := h.e.Deploy(f.Deployment); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				h.happens("value", 31)
			}
			sleep(4 * time.Minute)
		}
		sleep(time.Hour)
		h.want()
	})
}

// TestWaitEndsWithItsDeployment: what waits is aborted when its flow is undeployed, and
// does not continue with the next deployment of the same file.
func TestWaitEndsWithItsDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.deploy(waiting)
		h.start("X")
		sleep(time.Minute)
		if err := h.e.Undeploy("X"); err != nil {
			t.Fatal(err)
		}
		if n := len(h.shelf.all["X"]); n != 0 {
			t.Errorf("%d files are kept", n)
		}
		h.deploy(waiting)
		sleep(time.Hour)
		h.want("01-01 00:00:00 on")
	})
}
