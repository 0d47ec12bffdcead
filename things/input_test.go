package things

import (
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw/mock"
	"pithings/sensors/button"
)

// press holds the line of a contact low for a while, and lets it rest.
func press(p *mock.Pin, contact gpio.Level, hold, rest time.Duration) {
	p.Set(contact)
	time.Sleep(hold)
	p.Set(!contact)
	time.Sleep(rest)
}

func TestInput(t *testing.T) {
	const (
		on, off           = `door/state {"state":"on"}`, `door/state {"state":"off"}`
		pressed, released = `door/event {"event":"pressed"}`, `door/event {"event":"released"}`
		long, double      = `door/event {"event":"long_press"}`, `door/event {"event":"double_press"}`
	)
	for name, tc := range map[string]struct {
		settings InputSettings
		contact  gpio.Level
		do       func(p *mock.Pin)
		want     []string
	}{
		"contact to ground": {InputSettings{Pull: "up", ActiveLow: true}, gpio.Low,
			func(p *mock.Pin) { press(p, gpio.Low, 200*time.Millisecond, time.Second) },
			[]string{off, on, pressed, off, released}},
		"contact to 3.3 V": {InputSettings{Pull: "down"}, gpio.High,
			func(p *mock.Pin) { press(p, gpio.High, 200*time.Millisecond, time.Second) },
			[]string{off, on, pressed, off, released}},
		"inverted motion sensor": {InputSettings{Pull: "none", ActiveLow: true}, gpio.Low,
			func(p *mock.Pin) { press(p, gpio.Low, 3*time.Second, time.Second) },
			[]string{off, on, pressed, long, off, released}},
		"long press": {InputSettings{Pull: "up", ActiveLow: true}, gpio.Low,
			func(p *mock.Pin) { press(p, gpio.Low, time.Second, time.Second) },
			[]string{off, on, pressed, long, off, released}},
		"no long press": {InputSettings{Pull: "up", ActiveLow: true, LongPress: seconds(0)}, gpio.Low,
			func(p *mock.Pin) { press(p, gpio.Low, time.Minute, time.Second) },
			[]string{off, on, pressed, off, released}},
		"double press": {InputSettings{Pull: "up", ActiveLow: true}, gpio.Low,
			func(p *mock.Pin) {
				press(p, gpio.Low, 100*time.Millisecond, 100*time.Millisecond)
				press(p, gpio.Low, 100*time.Millisecond, time.Second)
			},
			[]string{off, on, pressed, off, released, on, pressed, double, off, released}},
		"bounces": {InputSettings{Pull: "up", ActiveLow: true}, gpio.Low,
			func(p *mock.Pin) {
				for range 5 {
					press(p, gpio.Low, time.Millisecond, time.Millisecond)
				}
				press(p, gpio.Low, 100*time.Millisecond, time.Second)
			},
			[]string{off, on, pressed, off, released}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				s := tc.settings
				s.Pin, s.Debounce = "GPIO22", debounce
				if name != "no long press" {
					s.LongPress.Duration = 800 * time.Millisecond
				}
				s.DoublePress.Duration = 400 * time.Millisecond
				pin := b.board.Pin("GPIO22")
				pin.Set(!tc.contact)
				stop := b.run(b.exactly("door", Options{}, &s, quiet))
				time.Sleep(time.Second)
				tc.do(pin)
				stop()
				if got := b.link.Transcript(); !slices.Equal(got, tc.want) {
					t.Errorf("published\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
				}
			})
		})
	}
}

func TestInputMessages(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		pin := b.board.Pin("GPIO22")
		pin.Set(gpio.Low) // closed at the start: that is no press
		stop := b.run(b.open("door", Options{Extra: Extra{"room": "hall"}}, &InputSettings{Pin: "GPIO22"}, quiet))
		time.Sleep(time.Second)
		pin.Set(gpio.High) // which is no release, either
		time.Sleep(time.Second)
		pin.Set(gpio.Low)
		time.Sleep(100 * time.Millisecond)
		stop()
		b.wantTranscript(`door/state {"state":"on","room":"hall"}`, `door/state {"state":"off","room":"hall"}`, `door/state {"state":"on","room":"hall"}`, `door/event {"event":"pressed","room":"hall"}`)
		for topic, retain := range map[string]bool{"door/state": true, "door/event": false} {
			for _, m := range b.link.Published(topic) {
				if m.Retain != retain || m.QoS != 1 || m.Alarm == retain {
					t.Errorf("%+v", m)
				}
			}
		}
	})
}

// A line that does not come to rest, or is held, is a fault, and heals.
func TestInputFaults(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		pin := b.board.Pin("GPIO22")
		pin.Set(gpio.High)
		stop := b.run(b.open("door", Options{}, &InputSettings{Pin: "GPIO22", StuckAfter: seconds(60)}, quiet))
		defer stop()
		pin.Set(gpio.Low)
		time.Sleep(70 * time.Second)
		if err := b.last(); err == nil || !strings.Contains(err.Error(), "GPIO22 has been on for 1m0s") {
			t.Errorf("held: %v", err)
		}
		pin.Set(gpio.High)
		time.Sleep(5 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("released: %v", err)
		}
		pin.SetMotion(mock.Motion{First: time.Millisecond, Every: 4 * time.Millisecond, Width: 2 * time.Millisecond})
		time.Sleep(5 * time.Second)
		if err := b.last(); err == nil || !strings.Contains(err.Error(), "does not come to rest") {
			t.Errorf("chattering: %v", err)
		}
		pin.SetMotion(mock.Motion{})
		time.Sleep(10 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("quiet: %v", err)
		}
		pin.Unplug()
		time.Sleep(5 * time.Second)
		if b.last() == nil {
			t.Error("unplugged, and nothing is reported")
		}
		pin.Replug()
		time.Sleep(5 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("plugged in again: %v", err)
		}
	})
}

func TestInputCheck(t *testing.T) {
	for _, tc := range []struct {
		debounce, double time.Duration
		bad              bool
	}{{30 * time.Millisecond, 400 * time.Millisecond, false}, {200 * time.Millisecond, 400 * time.Millisecond, false}, {201 * time.Millisecond, 400 * time.Millisecond, true}, {10 * time.Second, 0, false}} {
		s := InputSettings{Pin: "GPIO22"}
		s.Debounce.Duration, s.DoublePress.Duration = tc.debounce, tc.double
		bad := false
		s.Check(func(path, format string, args ...any) { bad = path == "double_press" })
		if bad != tc.bad {
			t.Errorf("%v, %v: reported %v", tc.debounce, tc.double, bad)
		}
		board := mock.New(mock.Options{})
		pin, err := board.OpenPin("GPIO22")
		if err != nil {
			t.Fatal(err)
		}
		_, err = button.New(pin, &button.Opts{Debounce: tc.debounce, DoublePress: tc.double})
		board.Close()
		if (err != nil) != tc.bad {
			t.Errorf("%v, %v: the driver says %v", tc.debounce, tc.double, err)
		}
	}
}
