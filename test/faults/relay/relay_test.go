package relay

import (
	"context"
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// end is an interface whose packets come from and go to channels.
type end struct {
	in, out chan []byte
	closed  chan struct{}
}

func newEnd() *end {
	return &end{in: make(chan []byte), out: make(chan []byte, 10000), closed: make(chan struct{})}
}

func (e *end) Read(b []byte) (int, error) {
	select {
	case p := <-e.in:
		return copy(b, p), nil
	case <-e.closed:
		return 0, io.EOF
	}
}

func (e *end) Write(b []byte) (int, error) {
	e.out <- b
	return len(b), nil
}

func (e *end) Close() error {
	close(e.closed)
	return nil
}

// send sends the numbers from first to first+n-1, and returns when the relay has taken
// them; not faster than it does, for it has room for maxQueued.
func (e *end) send(first, n int) {
	for i := range n {
		e.in <- binary.BigEndian.AppendUint32(nil, uint32(first+i))
		if i%1000 == 999 {
			synctest.Wait()
		}
	}
	synctest.Wait()
}

// received is what has come out.
func (e *end) received() (numbers []int) {
	synctest.Wait()
	for {
		select {
		case p := <-e.out:
			numbers = append(numbers, int(binary.BigEndian.Uint32(p)))
		default:
			return numbers
		}
	}
}

// bench runs f with a relay between two ends.
func bench(t *testing.T, f func(t *testing.T, r *Relay, a, b *end)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnd(), newEnd()
		r := New(a, b, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		f(t, r, a, b)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func inOrder(numbers []int) bool {
	for i := range numbers {
		if i > 0 && numbers[i] <= numbers[i-1] {
			return false
		}
	}
	return true
}

func TestNothingHappens(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		a.send(0, 1000)
		b.send(5000, 1000)
		if n := b.received(); len(n) != 1000 || !inOrder(n) {
			t.Errorf("%d of 1000, in order: %v", len(n), inOrder(n))
		}
		if n := a.received(); len(n) != 1000 || n[0] != 5000 {
			t.Errorf("%d of 1000 back", len(n))
		}
	})
}

func TestLoss(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		r.Set(Conditions{Loss: 0.3}, Conditions{})
		a.send(0, 10000)
		b.send(0, 100)
		if n := len(b.received()); n < 6700 || n > 7300 { // six standard deviations
			t.Errorf("%d of 10000 passed", n)
		}
		if n := len(a.received()); n != 100 {
			t.Errorf("%d of 100 passed in the other direction", n)
		}
		if ab, _ := r.Counts(); ab.Passed+ab.Lost != 10000 {
			t.Errorf("%+v", ab)
		}
	})
}

func TestDelay(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		r.Set(Conditions{Delay: 2 * time.Second}, Conditions{})
		a.send(0, 100)
		time.Sleep(time.Second)
		a.send(100, 100)
		r.Set(Conditions{}, Conditions{}) // what is on its way keeps its delay
		time.Sleep(999 * time.Millisecond)
		if n := b.received(); len(n) != 0 {
			t.Errorf("%d came too early", len(n))
		}
		time.Sleep(time.Millisecond)
		if n := b.received(); len(n) != 100 || !inOrder(n) {
			t.Errorf("%d after 2 s, in order: %v", len(n), inOrder(n))
		}
		time.Sleep(time.Second)
		if n := b.received(); len(n) != 100 || !inOrder(n) {
			t.Errorf("%d after 3 s", len(n))
		}
	})
}

func TestReorder(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		r.Set(Conditions{Delay: time.Second, Jitter: time.Second}, Conditions{})
		a.send(0, 1000)
		time.Sleep(2 * time.Second)
		n := b.received()
		if len(n) != 1000 || inOrder(n) {
			t.Errorf("%d of 1000, in order: %v", len(n), inOrder(n))
		}
		if ab, _ := r.Counts(); ab.Overtaken < 500 {
			t.Errorf("%+v", ab)
		}
	})
}

func TestCut(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		r.Set(Conditions{Delay: time.Second}, Conditions{})
		a.send(0, 10)
		synctest.Wait()
		r.Set(Conditions{Cut: true}, Conditions{})
		a.send(10, 10)
		b.send(0, 10)
		time.Sleep(5 * time.Second)
		if n := b.received(); len(n) != 0 {
			t.Errorf("%d passed a cut", len(n))
		}
		if n := a.received(); len(n) != 10 {
			t.Errorf("%d of 10 in the direction that is not cut", len(n))
		}
		r.Set(Conditions{}, Conditions{})
		a.send(20, 10)
		if n := b.received(); len(n) != 10 || n[0] != 20 {
			t.Errorf("%v after the cut", n)
		}
	})
}

func TestFullQueue(t *testing.T) {
	bench(t, func(t *testing.T, r *Relay, a, b *end) {
		r.Set(Conditions{Delay: time.Second}, Conditions{})
		a.send(0, maxQueued+100)
		time.Sleep(time.Second)
		if n := b.received(); len(n) != maxQueued {
			t.Errorf("%d passed", len(n))
		}
	})
}

// An end that fails ends the relay, with its error.
func TestBrokenEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnd(), newEnd()
		close(a.in)
		r := New(failing{a}, b, 1)
		if err := r.Run(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}

type failing struct{ *end }

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
