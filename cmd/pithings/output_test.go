package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutputKeepsOrder(t *testing.T) {
	var b bytes.Buffer
	o := newOutput(&b, func(err error) { t.Error(err) })
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(o, "line %d\n", i)
		fmt.Fprintf(&want, "line %d\n", i)
	}
	o.close()
	if b.String() != want.String() {
		t.Errorf("got %d bytes, want %d", b.Len(), want.Len())
	}
	fmt.Fprintln(o, "late") // changes nothing
}

// TestOutputBlocked: a reader that stopped costs lines, and no time.
func TestOutputBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		o := newOutput(w, func(error) {})
		began := time.Now()
		line := []byte(strings.Repeat("x", 1023) + "\n")
		for range 1000 {
			o.Write(line)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("writing took %v", took)
		}
		var b bytes.Buffer
		var reader sync.WaitGroup
		reader.Go(func() { io.Copy(&b, r) })
		synctest.Wait()
		o.Write([]byte("after\n"))
		o.close()
		w.Close()
		reader.Wait()
		if got := b.String(); !strings.Contains(got, " lines dropped: no reader)\nafter\n") || len(got) > outputQueue+4096 {
			t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-80):])
		}
	})
}

// TestOutputGathers: a line that follows none goes out at once, those that follow it in a
// moment together, and much of them without waiting.
func TestOutputGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		o := newOutput(&w, func(error) {})
		began := time.Now()
		at := func(want time.Duration, lines ...string) {
			t.Helper()
			synctest.Wait()
			if got := time.Since(began); !slices.Equal(w.take(), lines) || got != want {
				t.Errorf("after %v, want %v: not %q", got, want, lines)
			}
		}
		fmt.Fprintln(o, "a")
		at(0, "a\n")
		fmt.Fprintln(o, "b")
		fmt.Fprintln(o, "c")
		at(0)
		time.Sleep(gather)
		at(gather, "b\nc\n")
		much := strings.Repeat("x", outputQueue/2) + "\n"
		fmt.Fprint(o, much)
		at(gather, much)
		time.Sleep(2 * gather)
		fmt.Fprintln(o, "d")
		at(3*gather, "d\n")
		fmt.Fprintln(o, "e")
		o.close()
		at(3*gather, "e\n")
	})
}

// writes keeps what each Write is given.
type writes struct {
	mu  sync.Mutex
	got []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, string(p))
	return len(p), nil
}

func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}

func TestOutputBlockedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		o := newOutput(w, func(error) {})
		o.Write([]byte("x"))
		began := time.Now()
		o.close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("close took %v", took)
		}
		r.Close()
	})
}

func TestOutputFails(t *testing.T) {
	failed := make(chan error, 1)
	r, w := io.Pipe()
	r.CloseWithError(io.ErrClosedPipe)
	o := newOutput(w, func(err error) { failed <- err })
	o.Write([]byte("x"))
	if err := <-failed; !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	o.close()
}

// TestOutputNotes: what is said of dropped lines does not get between the lines, where a
// program reads them; and a line that is larger than the queue is no dropped one.
func TestOutputNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var notes bytes.Buffer
		o := newOutput(w, func(error) {})
		o.notes = &notes
		large := bytes.Repeat([]byte("x"), 2*outputQueue)
		o.Write(large)
		synctest.Wait()
		o.Write([]byte("too many\n"))
		var b bytes.Buffer
		var reader sync.WaitGroup
		reader.Go(func() { io.Copy(&b, r) })
		synctest.Wait()
		o.Write([]byte("after\n"))
		o.close()
		w.Close()
		reader.Wait()
		if got := b.String(); got != string(large)+"after\n" {
			t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
		}
		if got := notes.String(); got != "pithings: 1 messages dropped: no reader\n" {
			t.Errorf("noted %q", got)
		}
	})
}
