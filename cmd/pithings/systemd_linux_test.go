package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/pulse"
)

// The text that systemctl status shows.
func TestStatusLine(t *testing.T) {
	up, down, starting := agent.ThingState{State: "up"}, agent.ThingState{State: "down", Error: "no such device"}, agent.ThingState{State: "starting"}
	for name, tc := range map[string]struct {
		things  map[string]agent.ThingState
		missing []string
		want    string
	}{
		"all work":           {map[string]agent.ThingState{"a": up, "b": starting}, nil, "2 of 2 things work"},
		"two are down":       {map[string]agent.ThingState{"a": down, "b": up, "c": down}, nil, "1 of 3 things work; down: a, c"},
		"no connection":      {map[string]agent.ThingState{"a": up}, []string{"mqtt://hall: refused"}, "1 of 1 things work; no connection to mqtt://hall: refused"},
		"a reason of lines":  {map[string]agent.ThingState{"a": up}, []string{"mqtt://hall: refused\nSTATUS=all is well\tREADY=1"}, "1 of 1 things work; no connection to mqtt://hall: refused STATUS=all is well READY=1"},
		"flows and no thing": {nil, nil, "0 of 0 things work"},
	} {
		if got := statusLine([]string{"a", "b", "c"}, tc.things, tc.missing); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// manager is a service manager: next waits for what the program notifies it of, as
// sd_notify(3) has it, and drop reads it all from then on.
func manager(t *testing.T) (next func() string, drop func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetReadDeadline(time.Now().Add(time.Minute))
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3600000000")
	b := make([]byte, 4096)
	next = func() string {
		t.Helper()
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	drop = func() {
		for err := error(nil); err == nil; _, err = l.Read(b) {
		}
	}
	return next, drop
}

// newAgent is an agent with an environment sensor b and a broker that is not there.
func newAgent(t *testing.T, board hw.Board, p *pulse.Pulse) *agent.Agent {
	t.Helper()
	cfg, _, err := config.Parse("test", []byte("mqtt: {endpoint: mqtt://127.0.0.1:1}\nhttp: {listen: \"127.0.0.1:0\"}\nthings: [{name: b, type: environment}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Config: cfg, Board: board, State: t.TempDir(), Pulse: p, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// The service manager gets ready, watchdog with status, and stopping, each as
// sd_notify(3) wants it.
func TestServiceManagerIsNotified(t *testing.T) {
	next, _ := manager(t)
	s := newSystemd(slog.New(slog.DiscardHandler))
	a := newAgent(t, mock.New(mock.Options{}), s.pulse)
	s.ready()
	if got := next(); got != "READY=1" {
		t.Errorf("ready: %q", got)
	}
	stop := s.watch(a)
	if got := next(); got != "WATCHDOG=1\nSTATUS=1 of 1 things work; no connection to mqtt://127.0.0.1:1" {
		t.Errorf("watchdog: %q", got)
	}
	stop()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("the end: %q", got)
	}
}

// wedgedBoard has an I²C bus whose transfers do not end once it is wedged.
type wedgedBoard struct {
	hw.Board
	wedged  atomic.Bool
	reached chan struct{} // has a token when a transfer hangs
	loosen  chan struct{}
}

type wedgedBus struct {
	i2c.BusCloser
	board *wedgedBoard
}

func (b *wedgedBoard) OpenBus(name string) (i2c.BusCloser, error) {
	bus, err := b.Board.OpenBus(name)
	return wedgedBus{bus, b}, err
}

func (b wedgedBus) Tx(addr uint16, w, r []byte) error {
	if b.board.wedged.Load() {
		select {
		case b.board.reached <- struct{}{}:
		default:
		}
		<-b.board.loosen
	}
	return b.BusCloser.Tx(addr, w, r)
}

// The watchdog is fed by the loops that work: when that of one thing hangs, and all else
// continues, it starves, and the log says which.
func TestTheWatchdogStarvesWhenALoopHangs(t *testing.T) {
	next, drop := manager(t)
	var log bytes.Buffer
	s := newSystemd(slog.New(slog.NewTextHandler(&log, nil)))
	board := &wedgedBoard{Board: mock.New(mock.Options{}), reached: make(chan struct{}, 1), loosen: make(chan struct{})}
	a := newAgent(t, board, s.pulse)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	tick, done, fed := make(chan time.Time), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(fed)
		// Two looks in a row that find a loop at the same turn are enough here.
		s.feed(tick, done, 0, func() string { return status(a) })
	}()
	if got := next(); !strings.HasPrefix(got, "WATCHDOG=1\n") {
		t.Errorf("at the start: %q", got)
	}
	board.wedged.Store(true)
	<-board.reached
	tick <- time.Now() // notes the turn
	tick <- time.Now()
	got := next()
	for strings.HasPrefix(got, "WATCHDOG=1\n") {
		got = next()
	}
	if !strings.HasPrefix(got, "STATUS=hangs: ") || !strings.Contains(got, "thing b") {
		t.Errorf("when it hangs: %q", got)
	}
	for range 3 {
		tick <- time.Now()
	}
	board.wedged.Store(false)
	close(board.loosen)
	// Whatever else was at one turn for two looks is named, but nothing is fed before the
	// bus was loose; from then on it is again.
	feeding := make(chan struct{})
	go func() {
		defer close(feeding)
		for {
			select {
			case tick <- time.Now():
			case <-done:
				return
			}
		}
	}()
	for got = next(); !strings.HasPrefix(got, "WATCHDOG=1\n"); got = next() {
		if !strings.HasPrefix(got, "STATUS=hangs: ") {
			t.Errorf("while it hangs: %q", got)
		}
	}
	close(done)
	go drop() // a full socket would keep the last one waiting
	<-feeding
	<-fed
	if !strings.Contains(log.String(), "part of the program hangs") || !strings.Contains(log.String(), "thing b") {
		t.Errorf("the log does not name the loop:\n%s", log.String())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
