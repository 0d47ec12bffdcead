package hwtest

import (
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

func (h Harness) pin(t *testing.T, p Pin) {
	open := func(t *testing.T, b hw.Board, edge gpio.Edge) gpio.PinIn {
		t.Helper()
		line, err := b.OpenPin(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		t.Cleanup(func() { once.Do(func() { _ = line.Halt() }) })
		if err := line.In(gpio.PullDown, edge); err != nil {
			t.Fatal(err)
		}
		return line
	}
	set := func(t *testing.T, l gpio.Level) {
		t.Helper()
		skipUnless(t, p.Set != nil, "the harness cannot drive the line")
		p.Set(t, l)
	}
	halt := func(t *testing.T, line gpio.PinIn) {
		t.Helper()
		if err := line.Halt(); err != nil {
			t.Errorf("Halt: %v", err)
		}
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			line, err := b.OpenPin(name)
			return func() { _ = line.Halt() }, err
		}
	})

	h.test(t, "read follows the level", func(t *testing.T, b hw.Board) {
		set(t, gpio.Low)
		line := open(t, b, gpio.BothEdges)
		if line.String() == "" {
			t.Error("the line has no name")
		}
		for _, l := range []gpio.Level{gpio.Low, gpio.High, gpio.Low, gpio.High, gpio.Low} {
			set(t, l)
			h.eventually(t, "the line reads "+l.String(), func() bool { return line.Read() == l })
		}
	})

	h.test(t, "every edge is seen once", func(t *testing.T, b hw.Board) {
		set(t, gpio.Low)
		line := open(t, b, gpio.BothEdges)
		for range 3 {
			for _, l := range []gpio.Level{gpio.High, gpio.Low} {
				set(t, l)
				if !line.WaitForEdge(h.Patience) {
					t.Fatalf("no edge to %v", l)
				}
				if got := line.Read(); got != l {
					t.Fatalf("after the edge to %v the line reads %v", l, got)
				}
			}
		}
		if line.WaitForEdge(50 * time.Millisecond) {
			t.Error("an edge came twice, or from nowhere")
		}
	})

	h.test(t, "a pull moves a line that nothing drives", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Float != nil, "the harness cannot let go of the line")
		line, err := b.OpenPin(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		defer line.Halt()
		for _, pull := range []gpio.Pull{gpio.PullUp, gpio.PullDown, gpio.PullUp} {
			p.Float(t)
			if err := line.In(pull, gpio.BothEdges); err != nil {
				t.Fatal(err)
			}
			want := gpio.Level(pull == gpio.PullUp)
			h.eventually(t, "the line reads "+want.String(), func() bool { return line.Read() == want })
			if line.Pull() != pull {
				t.Errorf("the pull is %v, want %v", line.Pull(), pull)
			}
		}
	})

	h.test(t, "no pull", func(t *testing.T, b hw.Board) {
		line, err := b.OpenPin(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		defer line.Halt()
		for _, pull := range []gpio.Pull{gpio.Float, gpio.PullNoChange} {
			if err := line.In(pull, gpio.BothEdges); err != nil {
				t.Errorf("%v: %v", pull, err)
			}
		}
	})

	h.test(t, "edges wait to be asked for", func(t *testing.T, b hw.Board) {
		set(t, gpio.Low)
		line := open(t, b, gpio.BothEdges)
		// Some kernels' lines are set up for edges by the first wait only.
		line.WaitForEdge(10 * time.Millisecond)
		for _, l := range []gpio.Level{gpio.High, gpio.Low, gpio.High} {
			set(t, l)
		}
		for i := range 3 {
			if !line.WaitForEdge(h.Patience) {
				t.Fatalf("edge %d of 3 was lost", i+1)
			}
		}
		if line.WaitForEdge(50*time.Millisecond) || line.Read() != gpio.High {
			t.Error("more edges than changes, or the wrong level at the end")
		}
	})

	for _, only := range []struct {
		edge gpio.Edge
		from gpio.Level
	}{{gpio.RisingEdge, gpio.Low}, {gpio.FallingEdge, gpio.High}} {
		h.test(t, "only "+only.edge.String(), func(t *testing.T, b hw.Board) {
			set(t, only.from)
			line := open(t, b, only.edge)
			set(t, only.from) // where the pull of the request moves the line
			line.WaitForEdge(10 * time.Millisecond)
			set(t, !only.from)
			set(t, only.from)
			if !line.WaitForEdge(h.Patience) {
				t.Fatal("the edge was not seen")
			}
			if line.WaitForEdge(50 * time.Millisecond) {
				t.Error("the other edge was seen too")
			}
		})
	}

	h.test(t, "an edge ends a wait", func(t *testing.T, b hw.Board) {
		set(t, gpio.Low)
		line := open(t, b, gpio.BothEdges)
		seen, done := false, make(chan struct{})
		go func() {
			defer close(done)
			seen = line.WaitForEdge(2 * h.Patience)
		}()
		time.Sleep(50 * time.Millisecond)
		set(t, gpio.High)
		h.within(t, "the wait ends", done)
		if !seen {
			t.Error("the wait ended without an edge")
		}
	})

	h.test(t, "a wait ends in time", func(t *testing.T, b hw.Board) {
		line := open(t, b, gpio.BothEdges)
		line.WaitForEdge(10 * time.Millisecond)
		const timeout = 200 * time.Millisecond
		begun := time.Now()
		seen := line.WaitForEdge(timeout)
		took := time.Since(begun)
		if seen {
			t.Error("an edge on a quiet line")
		}
		// 10 ms less, because kernels and runtimes round.
		if took < timeout-10*time.Millisecond || took > timeout+h.Patience {
			t.Errorf("waited %v, want %v", took, timeout)
		}
	})

	h.test(t, "halt ends a wait", func(t *testing.T, b hw.Board) {
		line := open(t, b, gpio.BothEdges)
		seen, done := true, make(chan struct{})
		go func() {
			defer close(done)
			seen = line.WaitForEdge(10 * h.Patience)
		}()
		time.Sleep(50 * time.Millisecond)
		halt(t, line)
		h.within(t, "the wait ends", done)
		if seen {
			t.Error("the wait ended with an edge on a quiet line")
		}
		if line.Read() != gpio.Low {
			t.Error("a line reads high after Halt")
		}
	})

	h.test(t, "open again after halt", func(t *testing.T, b hw.Board) {
		for range 3 {
			set(t, gpio.Low)
			line := open(t, b, gpio.BothEdges)
			line.WaitForEdge(10 * time.Millisecond)
			set(t, gpio.High)
			if !line.WaitForEdge(h.Patience) || line.Read() != gpio.High {
				t.Fatal("no edge after opening again")
			}
			halt(t, line)
			halt(t, line)
		}
	})

	h.test(t, "second open", func(t *testing.T, b hw.Board) {
		first := open(t, b, gpio.BothEdges)
		second, err := b.OpenPin(p.Name)
		if err == nil {
			_ = second.Halt()
		}
		refused(t, err, hw.ErrBusy, p.Name)
		if err := first.In(gpio.PullDown, gpio.BothEdges); err != nil {
			t.Errorf("the first opener lost the line: %v", err)
		}
	})

	h.test(t, "held by another program", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Hold != nil, "the harness cannot hold the line")
		release := p.Hold(t)
		line, err := b.OpenPin(p.Name)
		if err == nil { // a kernel reports it when the line is requested
			err = line.In(gpio.PullDown, gpio.BothEdges)
			_ = line.Halt()
		}
		release()
		refused(t, err, hw.ErrBusy, p.Name)
		open(t, b, gpio.BothEdges)
	})
}
