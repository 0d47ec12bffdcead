package mock_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/mock"
)

// bubble runs a test with a board in a bubble of synctest, which also fails
// when a goroutine is left behind.
func bubble(t *testing.T, o mock.Options, test func(t *testing.T, b *mock.Board)) {
	synctest.Test(t, func(t *testing.T) {
		b := mock.New(o)
		defer b.Close()
		test(t, b)
	})
}

func openPin(t *testing.T, b *mock.Board, name string) gpio.PinIn {
	t.Helper()
	p, err := b.OpenPin(name)
	if err == nil {
		err = p.In(gpio.PullDown, gpio.BothEdges)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var everyTenSeconds = mock.Options{Motion: mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 2 * time.Second}}

func TestMotionPulses(t *testing.T) {
	bubble(t, everyTenSeconds, func(t *testing.T, b *mock.Board) {
		begun := time.Now()
		p := openPin(t, b, "mock")
		var got []time.Duration
		for time.Since(begun) < 23*time.Second {
			if p.WaitForEdge(700 * time.Millisecond) {
				got = append(got, time.Since(begun))
				if want := len(got)%2 == 1; bool(p.Read()) != want {
					t.Errorf("after edge %d the line is %v", len(got), p.Read())
				}
			}
		}
		want := []time.Duration{1e9, 3e9, 11e9, 13e9, 21e9, 23e9}
		if !slices.Equal(got, want) {
			t.Errorf("edges at %v, want %v", got, want)
		}
	})
}

func TestMotionIsSeenLate(t *testing.T) {
	bubble(t, everyTenSeconds, func(t *testing.T, b *mock.Board) {
		p := openPin(t, b, "mock")
		time.Sleep(22 * time.Second) // in the third pulse
		for i := range 5 {
			if !p.WaitForEdge(time.Millisecond) {
				t.Fatalf("edge %d of 5 is missing", i+1)
			}
		}
		if p.WaitForEdge(time.Millisecond) || p.Read() == gpio.Low {
			t.Error("want no sixth edge, and a high line")
		}
		time.Sleep(1000 * time.Hour)
		n := 0
		for p.WaitForEdge(time.Nanosecond) {
			n++
		}
		if n != 16 {
			t.Errorf("%d edges waited after a long time, want the 16 that a kernel keeps", n)
		}
	})
}

func TestMotionWithoutAPause(t *testing.T) {
	bubble(t, mock.Options{Motion: mock.Motion{First: time.Second, Every: time.Second, Width: time.Second}}, func(t *testing.T, b *mock.Board) {
		p := openPin(t, b, "mock")
		if !p.WaitForEdge(2*time.Second) || p.WaitForEdge(time.Minute) || p.Read() == gpio.Low {
			t.Error("want one edge, then high for ever")
		}
	})
}

func TestPinFaults(t *testing.T) {
	bubble(t, everyTenSeconds, func(t *testing.T, b *mock.Board) {
		p, line := openPin(t, b, "GPIO17"), b.Pin("GPIO17")

		line.Stick(gpio.High)
		if !p.WaitForEdge(time.Second) || p.Read() == gpio.Low || line.Level() != gpio.High {
			t.Error("stuck high: want an edge and a high level")
		}
		if p.WaitForEdge(time.Minute) {
			t.Error("stuck high: another edge")
		}
		line.Unstick()
		if !p.WaitForEdge(10 * time.Second) {
			t.Error("healed: want the motion back")
		}

		line.Stick(gpio.Low)
		line.Set(gpio.High)
		if p.WaitForEdge(50*time.Second) && p.Read() == gpio.High {
			t.Error("stuck low: the line is high")
		}
		line.Set(gpio.Low)
		line.Unstick()

		done := make(chan bool)
		go func() { done <- p.WaitForEdge(time.Hour) }()
		line.SetMotion(mock.Motion{})
		synctest.Wait()
		line.Unplug()
		if <-done {
			t.Error("gone: the wait ended with an edge")
		}
		if p.WaitForEdge(time.Hour) || p.Read() == gpio.High {
			t.Error("gone: want no edges, and low")
		}
		if err := p.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, hw.ErrGone) {
			t.Errorf("gone: In says %v", err)
		}
		if _, err := b.OpenPin("GPIO17"); !errors.Is(err, hw.ErrNotFound) {
			t.Errorf("gone: OpenPin says %v", err)
		}
		line.Replug()
		if err := p.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, hw.ErrGone) {
			t.Errorf("back: the old handle must stay dead, In says %v", err)
		}
		if err := p.Halt(); err != nil {
			t.Error(err)
		}
		p = openPin(t, b, "GPIO17")
		line.Set(gpio.High)
		if !p.WaitForEdge(time.Second) {
			t.Error("back: no edge")
		}
	})
}

func TestConfiguringEndsAWait(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		p := openPin(t, b, "GPIO17")
		done := make(chan bool)
		go func() { done <- p.WaitForEdge(-1) }()
		synctest.Wait()
		if err := p.In(gpio.Float, gpio.NoEdge); err != nil {
			t.Fatal(err)
		}
		if <-done || p.Pull() != gpio.Float {
			t.Error("In must end the wait without an edge and set the pull")
		}
		if p.WaitForEdge(time.Hour) {
			t.Error("an edge on a line without edges")
		}
	})
}

func TestPartsCalledMockAreOnesOwn(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		first, second := openPin(t, b, "mock"), openPin(t, b, "mock")
		b.Pin("mock").Set(gpio.High)
		if first.Read() == gpio.Low || second.Read() == gpio.High {
			t.Error("two pins called mock must be two, and Pin the first of them")
		}
		// A part that is given back is used again, with its faults.
		b.Pin("mock").Unplug()
		_ = first.Halt()
		if _, err := b.OpenPin("mock"); !errors.Is(err, hw.ErrNotFound) {
			t.Errorf("unplugged: %v", err)
		}
		b.Pin("mock").Replug()
		if again := openPin(t, b, "mock"); again.Read() == gpio.Low {
			t.Error("the first part must be used again")
		}
		if openPin(t, b, "mock:hall"); !b.Pin("mock:hall").InUse() {
			t.Error("mock:hall is one part")
		}
		if _, err := b.OpenPin("mock:hall"); !errors.Is(err, hw.ErrBusy) {
			t.Errorf("mock:hall opened twice: %v", err)
		}
	})
}

func TestClosedBoard(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		p := openPin(t, b, "GPIO17")
		v := openVideo(t, b, "mock")
		start(t, v, hw.MJPG)
		b.Video("mock").Stall(true)
		edge, frame := make(chan bool), make(chan error)
		go func() { edge <- p.WaitForEdge(time.Hour) }()
		go func() { _, err := v.Next(t.Context(), nil); frame <- err }()
		synctest.Wait()
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		if <-edge || <-frame == nil {
			t.Error("Close must end what waits")
		}
		for _, open := range []func() error{
			func() error { _, err := b.OpenPin("GPIO17"); return err },
			func() error { _, err := b.OpenBus("1"); return err },
			func() error { _, err := b.OpenVideo("mock"); return err },
			func() error { _, err := b.OpenFramebuffer("mock"); return err },
		} {
			if open() == nil {
				t.Error("a part of a closed board was opened")
			}
		}
	})
}
