package hwtest

import (
	"sync"
	"testing"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

func (h Harness) output(t *testing.T, p Output) {
	open := func(t *testing.T, b hw.Board, o hw.OutputOpts) hw.Output {
		t.Helper()
		out, err := b.OpenOutput(p.Name, o)
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		t.Cleanup(func() { once.Do(func() { _ = out.Close() }) })
		return out
	}
	// is checks the output's value, and the level outside.
	is := func(t *testing.T, out hw.Output, on bool, level gpio.Level) {
		t.Helper()
		if got, err := out.Value(); err != nil || got != on {
			t.Errorf("the value is %t (%v), want %t", got, err, on)
		}
		if p.Level == nil {
			return
		}
		if got := p.Level(t); got != level {
			t.Errorf("the line is %v, want %v", got, level)
		}
	}
	closeIt := func(t *testing.T, out hw.Output) {
		t.Helper()
		if err := out.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			out, err := b.OpenOutput(name, hw.OutputOpts{})
			return func() { _ = out.Close() }, err
		}
	})

	for _, row := range []struct {
		name      string
		activeLow bool
	}{{"active high", false}, {"active low", true}} {
		level := func(on bool) gpio.Level { return gpio.Level(on != row.activeLow) }
		for start, on := range map[hw.Start]bool{hw.StartOff: false, hw.StartOn: true} {
			name := map[bool]string{false: "starts off", true: "starts on"}[on]
			h.test(t, row.name+" "+name, func(t *testing.T, b hw.Board) {
				out := open(t, b, hw.OutputOpts{ActiveLow: row.activeLow, Start: start})
				is(t, out, on, level(on))
			})
		}
		h.test(t, row.name+" is set", func(t *testing.T, b hw.Board) {
			out := open(t, b, hw.OutputOpts{ActiveLow: row.activeLow})
			if out.String() == "" {
				t.Error("the output has no name")
			}
			for _, on := range []bool{true, true, false, true, false, false} {
				if err := out.Set(on); err != nil {
					t.Fatal(err)
				}
				is(t, out, on, level(on))
			}
		})
		for _, rest := range []gpio.Level{gpio.Low, gpio.High} {
			h.test(t, row.name+" keeps "+rest.String(), func(t *testing.T, b hw.Board) {
				skipUnless(t, p.Rest != nil, "the harness cannot give the line a level")
				p.Rest(t, rest)
				out := open(t, b, hw.OutputOpts{ActiveLow: row.activeLow, Start: hw.StartKeep})
				on := bool(rest) != row.activeLow
				is(t, out, on, rest)
				if err := out.Set(!on); err != nil {
					t.Fatal(err)
				}
				is(t, out, !on, !rest)
			})
		}
	}

	h.test(t, "the name opens it again", func(t *testing.T, b hw.Board) {
		out := open(t, b, hw.OutputOpts{})
		name := out.String()
		closeIt(t, out)
		again, err := b.OpenOutput(name, hw.OutputOpts{Start: hw.StartOn})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		is(t, again, true, gpio.High)
	})

	h.test(t, "closed", func(t *testing.T, b hw.Board) {
		for range 3 {
			out := open(t, b, hw.OutputOpts{})
			closeIt(t, out)
			closeIt(t, out)
			if out.Set(true) == nil {
				t.Error("a closed output was set")
			}
			if _, err := out.Value(); err == nil {
				t.Error("a closed output has a value")
			}
		}
	})

	h.test(t, "one holder, whatever the direction", func(t *testing.T, b hw.Board) {
		out := open(t, b, hw.OutputOpts{Start: hw.StartOn})
		second, err := b.OpenOutput(p.Name, hw.OutputOpts{})
		if err == nil {
			_ = second.Close()
		}
		refused(t, err, hw.ErrBusy, p.Name)
		pin, err := b.OpenPin(p.Name)
		if err == nil {
			_ = pin.Halt()
		}
		refused(t, err, hw.ErrBusy, p.Name)
		is(t, out, true, gpio.High)
		closeIt(t, out)

		pin, err = b.OpenPin(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		second, err = b.OpenOutput(p.Name, hw.OutputOpts{})
		if err == nil {
			_ = second.Close()
		}
		refused(t, err, hw.ErrBusy, p.Name)
		if err := pin.Halt(); err != nil {
			t.Error(err)
		}
	})

	h.test(t, "held by another program", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Hold != nil, "the harness cannot hold the line")
		release := p.Hold(t)
		out, err := b.OpenOutput(p.Name, hw.OutputOpts{Start: hw.StartKeep})
		if err == nil {
			_ = out.Close()
		}
		release()
		refused(t, err, hw.ErrBusy, p.Name)
		open(t, b, hw.OutputOpts{})
	})
}
