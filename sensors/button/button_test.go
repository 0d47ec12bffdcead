package button_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/sensors/button"
)

const ms = time.Millisecond

// watch watches the pin in a bubble for a time, while drive drives the line.
func watch(t *testing.T, opts *button.Opts, wrap func(gpio.PinIn) gpio.PinIn, until time.Duration,
	drive func(line *mock.Pin), check func(events string, err error)) {
	synctest.Test(t, func(t *testing.T) {
		board := mock.New(mock.Options{})
		defer board.Close()
		begin := time.Now()
		pin, err := board.OpenPin("GPIO17")
		if err != nil {
			t.Fatal(err)
		}
		if wrap != nil {
			pin = wrap(pin)
		}
		d, err := button.New(pin, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Halt()
		ctx, cancel := context.WithTimeout(t.Context(), until)
		defer cancel()
		go drive(board.Pin("GPIO17"))
		var events []string
		err = d.Watch(ctx, func(e button.Event) { events = append(events, fmt.Sprintf("%v %v", e.Time.Sub(begin), e.Kind)) })
		if late := time.Since(begin) - until; late > time.Second {
			t.Errorf("ended %v after its context", late)
		}
		check(strings.Join(events, ", "), err)
	})
}

// at waits for moments since it was made.
func at() func(time.Duration) {
	begin := time.Now()
	return func(d time.Duration) { time.Sleep(time.Until(begin.Add(d))) }
}

func TestWatch(t *testing.T) {
	toGround := func(press, release time.Duration) func(*mock.Pin) {
		return func(line *mock.Pin) {
			wait := at()
			wait(press)
			for range 3 { // bounces
				line.Set(gpio.Low)
				time.Sleep(ms)
				line.Float()
				time.Sleep(ms)
			}
			line.Set(gpio.Low)
			wait(release)
			line.Float()
		}
	}
	for _, row := range []struct {
		name  string
		opts  *button.Opts
		drive func(*mock.Pin)
		want  string
	}{
		{"a button to ground", nil, toGround(100*ms, 300*ms),
			"0s off, 106ms on, 106ms pressed, 300ms off, 300ms released"},
		{"a long press", nil, toGround(100*ms, 5*time.Second),
			"0s off, 106ms on, 106ms pressed, 906ms long press, 5s off, 5s released"},
		{"a contact to 3.3 V", &button.Opts{Pull: gpio.PullDown}, func(line *mock.Pin) {
			wait := at()
			wait(time.Second)
			line.Set(gpio.High)
			wait(9 * time.Second)
			line.Float()
		}, "0s off, 1s on, 1s pressed, 9s off, 9s released"},
		{"an inverted motion sensor", &button.Opts{ActiveLow: true, Debounce: 50 * ms}, func(line *mock.Pin) {
			wait := at()
			line.Set(gpio.High)
			wait(3 * time.Second)
			line.Set(gpio.Low)
			wait(6 * time.Second)
			line.Set(gpio.High)
		}, "0s off, 3s on, 3s pressed, 6s off, 6s released"},
		{"a wire that is off", &button.Opts{Debounce: 30 * ms}, func(line *mock.Pin) {
			wait := at()
			wait(time.Second)
			line.SetMotion(mock.Motion{Every: 2 * ms, Width: ms}) // 1000 edges a second
			wait(7500 * ms)
			line.SetMotion(mock.Motion{})
		}, "0s off, 1.063s chatter, 9.304s quiet"},
	} {
		t.Run(row.name, func(t *testing.T) {
			watch(t, row.opts, nil, 15*time.Second, row.drive, func(events string, err error) {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if events != row.want {
					t.Errorf("got\n\t%s\nwant\n\t%s", events, row.want)
				}
			})
		})
	}
}

// strange is a pin whose waits are not what they should be.
type strange struct {
	gpio.PinIn
	edge   bool // waits end at once with an edge, or else without
	noPull bool
	waits  atomic.Int64
	ins    atomic.Int64
}

func (p *strange) WaitForEdge(timeout time.Duration) bool {
	if timeout <= 0 || timeout > time.Second {
		panic("a wait that is not finite")
	}
	p.waits.Add(1)
	return p.edge
}

func (p *strange) In(pull gpio.Pull, edge gpio.Edge) error {
	p.ins.Add(1)
	if p.noPull && pull != gpio.PullNoChange {
		return fmt.Errorf("%w: no pulls here", hw.ErrUnsupported)
	}
	return p.PinIn.In(pull, edge)
}

// A pin whose waits return at once must not take the processor.
func TestWatch_strangePins(t *testing.T) {
	for _, row := range []struct {
		name  string
		pin   *strange
		want  string
		waits int64
	}{
		{"always an edge", &strange{edge: true}, "0s off, 320ms chatter", 100 * 60},
		{"never waits", &strange{}, "0s off, 50.01s on, 50.01s pressed, 50.81s long press", 100 * 110},
	} {
		t.Run(row.name, func(t *testing.T) {
			press := func(line *mock.Pin) {
				time.Sleep(50*time.Second + 5*ms) // between two looks
				line.Set(gpio.Low)
			}
			watch(t, nil, func(p gpio.PinIn) gpio.PinIn { row.pin.PinIn = p; return row.pin }, 100*time.Second, press, func(events string, err error) {
				if !errors.Is(err, context.DeadlineExceeded) || events != row.want {
					t.Errorf("%s (%v), want %s", events, err, row.want)
				}
				if n := row.pin.waits.Load(); n > row.waits {
					t.Errorf("%d waits in 100 s", n)
				}
			})
		})
	}
}

// The pin's chip is unplugged, which reads as low: a button to ground seems pressed.
func TestWatch_gone(t *testing.T) {
	for name, opts := range map[string]*button.Opts{
		"high at rest": nil,
		"low at rest":  {Pull: gpio.PullDown, Debounce: 30 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			gone := func(line *mock.Pin) {
				time.Sleep(10 * time.Second)
				line.Unplug()
			}
			watch(t, opts, nil, 20*time.Second, gone, func(events string, err error) {
				if !errors.Is(err, hw.ErrGone) || !strings.Contains(err.Error(), "GPIO17") {
					t.Errorf("got %v, want %v", err, hw.ErrGone)
				}
				if events != "0s off" {
					t.Errorf("a line that has gone reports %s", events)
				}
			})
		})
	}
}

func TestHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := mock.New(mock.Options{})
		defer board.Close()
		pin, err := board.OpenPin("mock")
		if err != nil {
			t.Fatal(err)
		}
		d, err := button.New(pin, nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- d.Watch(context.Background(), func(button.Event) {}) }()
		synctest.Wait()
		if err := d.Watch(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("a second Watch: %v", err)
		}
		if d.On() {
			t.Error("a line at rest is on")
		}
		board.Pin("mock").Set(gpio.Low)
		if !d.On() {
			t.Error("a line to ground is off")
		}
		for range 2 {
			if err := d.Halt(); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; !errors.Is(err, button.ErrHalted) {
			t.Errorf("got %v, want ErrHalted", err)
		}
		if board.Pin("mock").InUse() {
			t.Error("the line is still in use")
		}
	})
}

// Each Watch begins with what the line is.
func TestWatch_again(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := mock.New(mock.Options{})
		defer board.Close()
		pin, err := board.OpenPin("GPIO17")
		if err != nil {
			t.Fatal(err)
		}
		d, err := button.New(pin, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Halt()
		for i := range 3 {
			board.Pin("GPIO17").Set(gpio.Level(i%2 == 0))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			var got []button.Kind
			err := d.Watch(ctx, func(e button.Event) { got = append(got, e.Kind) })
			cancel()
			want := button.Off
			if i%2 == 1 {
				want = button.On
			}
			if !errors.Is(err, context.DeadlineExceeded) || len(got) != 1 || got[0] != want {
				t.Errorf("got %v (%v), want %v", got, err, want)
			}
		}
	})
}

func TestNew_refuses(t *testing.T) {
	board := mock.New(mock.Options{})
	defer board.Close()
	for name, row := range map[string]struct {
		opts   button.Opts
		noPull bool
		want   string
	}{
		"poll too rare":       {opts: button.Opts{Poll: 2 * time.Second}, want: "1ms to 1s"},
		"poll too often":      {opts: button.Opts{Poll: time.Microsecond}, want: "1ms to 1s"},
		"poll negative":       {opts: button.Opts{Poll: -1}, want: "1ms to 1s"},
		"debounce too long":   {opts: button.Opts{Debounce: time.Minute}, want: "at most 10s"},
		"double is too short": {opts: button.Opts{Debounce: 30 * ms, DoublePress: 50 * ms}, want: "at least 60ms"},
		"no pull-up":          {opts: button.Opts{Pull: gpio.PullUp}, noPull: true, want: "no pulls here"},
		"no pull is needed":   {opts: button.Opts{Pull: gpio.Float}, noPull: true},
		"negative times":      {opts: button.Opts{Debounce: -1, LongPress: -1, DoublePress: -1, Stuck: -1}},
	} {
		pin, err := board.OpenPin("mock")
		if err != nil {
			t.Fatal(err)
		}
		d, err := button.New(&strange{PinIn: pin, noPull: row.noPull}, &row.opts)
		switch {
		case row.want == "" && err != nil, row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want %q in it", name, err, row.want)
		case err == nil && d.String() != "Button{"+pin.Name()+"}":
			t.Errorf("%s: %s", name, d)
		}
		if err := pin.Halt(); err != nil {
			t.Error(err)
		}
	}
	if got := button.Kind(42).String(); got != "Kind(42)" {
		t.Errorf("got %s", got)
	}
}
