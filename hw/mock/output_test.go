package mock_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/mock"
)

func openOutput(t *testing.T, b *mock.Board, name string, o hw.OutputOpts) hw.Output {
	t.Helper()
	out, err := b.OpenOutput(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func levels(p *mock.Pin) (l []gpio.Level) {
	for _, c := range p.Changes() {
		l = append(l, c.Level)
	}
	return l
}

func TestOutputsStayWhatTheyAreUntilTheLineIsAnInput(t *testing.T) {
	bubble(t, everyTenSeconds, func(t *testing.T, b *mock.Board) {
		line := b.Pin("GPIO27")
		out := openOutput(t, b, "GPIO27", hw.OutputOpts{ActiveLow: true, Start: hw.StartOff})
		if got := levels(line); !slices.Equal(got, []gpio.Level{gpio.High}) {
			t.Errorf("the request changed the line to %v, want High once", got)
		}
		time.Sleep(5 * time.Second)
		if err := errors.Join(out.Set(false), out.Set(true), out.Set(true)); err != nil {
			t.Fatal(err)
		}
		changes := line.Changes()
		if len(changes) != 2 || changes[1].Level != gpio.Low || time.Since(changes[1].Time) != 0 {
			t.Errorf("changes %v, want Low now", changes)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Second) // the motion sensor on it is none
		if line.Level() != gpio.Low || len(line.Changes()) != 2 {
			t.Error("a closed output lost its level")
		}
		again := openOutput(t, b, "GPIO27", hw.OutputOpts{ActiveLow: true, Start: hw.StartKeep})
		if on, err := again.Value(); err != nil || !on || len(line.Changes()) != 0 {
			t.Errorf("kept %t (%v) with the changes %v, want on and none", on, err, line.Changes())
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		line.SetMotion(mock.Motion{})
		if in := openPin(t, b, "GPIO27"); in.Read() != gpio.Low {
			t.Error("an input without a driver does not read low")
		}
		line.Set(gpio.High)
		if line.Level() != gpio.High {
			t.Error("the line still is an output")
		}
	})
}

func TestFaultsOfOutputs(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		line, out := b.Pin("GPIO27"), openOutput(t, b, "GPIO27", hw.OutputOpts{})
		line.Stick(gpio.Low)
		if err := out.Set(true); err != nil {
			t.Fatal(err)
		}
		if on, err := out.Value(); on || err != nil {
			t.Errorf("a wire that is held low reads on (%v)", err)
		}
		line.Unstick()
		if on, _ := out.Value(); !on {
			t.Error("the output is off after the fault")
		}
		line.Unplug()
		if err := out.Set(false); !errors.Is(err, hw.ErrGone) {
			t.Errorf("Set: %v, want %v", err, hw.ErrGone)
		}
		if _, err := out.Value(); !errors.Is(err, hw.ErrGone) {
			t.Errorf("Value: %v, want %v", err, hw.ErrGone)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
		line.Replug()
		openOutput(t, b, "GPIO27", hw.OutputOpts{})
	})
}

// A button to ground: the line rests high, and pulses are low.
func TestPulsesOfALineWithAPullUpAreLow(t *testing.T) {
	bubble(t, everyTenSeconds, func(t *testing.T, b *mock.Board) {
		p, err := b.OpenPin("mock")
		if err == nil {
			err = p.In(gpio.PullUp, gpio.FallingEdge)
		}
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if p.Read() != gpio.High || !p.WaitForEdge(time.Minute) || p.Read() != gpio.Low || time.Since(begun) != time.Second {
			t.Errorf("after %v the line is %v, want low after 1 s", time.Since(begun), p.Read())
		}
		b.Pin("mock").SetMotion(mock.Motion{})
		b.Pin("mock").Set(gpio.Low)
		synctest.Wait()
		b.Pin("mock").Float()
		if p.Read() != gpio.High {
			t.Error("a line with a pull-up reads low")
		}
	})
}

func TestPartsAreThoseOfAPiAndThoseAskedFor(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		b.Pin("mock:hall").Set(gpio.High)
		b.Pin("GPIO5").Unplug()
		b.Pin("GPIO6").Hold("spi0 CS0")
		openOutput(t, b, "GPIO27", hw.OutputOpts{})
		b.Video("/dev/video1").Configure(mock.VideoOptions{NoCapture: true})
		b.Bus("2").Hang(true)
		p := b.Parts(t.Context())
		lines := map[string]hw.GPIOLine{}
		for i, l := range p.GPIO[0].Lines {
			if lines[l.Name] = l; l.Offset != i {
				t.Errorf("line %d has the offset %d", i, l.Offset)
			}
		}
		if len(lines) != 28 || len(p.GPIO) != 1 {
			t.Errorf("%d lines on %d chips, want 27 of the header and one more", len(lines), len(p.GPIO))
		}
		for name, want := range map[string]hw.GPIOLine{
			"GPIO6":     {Offset: 5, Name: "GPIO6", Open: "GPIO6", Pin: 31, Used: true, Consumer: "spi0 CS0"},
			"GPIO27":    {Offset: 26, Name: "GPIO27", Open: "GPIO27", Pin: 13, Used: true, Consumer: "pithings", Output: true},
			"mock:hall": {Offset: 27, Name: "mock:hall", Open: "mock:hall"},
		} {
			if lines[name] != want {
				t.Errorf("%s is listed as %+v, want %+v", name, lines[name], want)
			}
		}
		if d := p.I2C[0].Devices; len(p.I2C) != 2 || len(d) != 1 || d[0].Address != 0x76 || !errors.Is(p.I2C[1].Err, mock.ErrTimeout) {
			t.Errorf("buses %+v", p.I2C)
		}
		if v := p.Video; len(v) != 2 || len(v[0].Formats) == 0 || v[0].Err != nil || !errors.Is(v[1].Err, hw.ErrUnsupported) {
			t.Errorf("video devices %+v", v)
		}
		if f := p.Framebuffers; len(f) != 1 || f[0].Geometry != mock.DefaultScreen {
			t.Errorf("screens %+v", f)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if late := b.Parts(ctx); !errors.Is(late.I2C[0].Err, context.Canceled) {
			t.Errorf("after the end: %v", late.I2C[0].Err)
		}
		_ = b.Close()
		if p := b.Parts(t.Context()); len(p.GPIO)+len(p.I2C)+len(p.Video)+len(p.Framebuffers) != 0 {
			t.Errorf("a closed board has %+v", p)
		}
	})
}
