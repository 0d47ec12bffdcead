package pulse

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A loop is stuck when it has been at one turn for too long, and no longer when it moves again.
// One that waits is not, however long.
func TestStuckLoopsAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		idle, busy, hangs := p.Loop("idle"), p.Loop("busy"), p.Loop("hangs")
		idle.Work()
		idle.Wait()
		look := func(want ...string) {
			t.Helper()
			if got := p.Stuck(time.Minute); !slices.Equal(got, want) {
				t.Errorf("after %v: stuck are %q, want %q", time.Now(), got, want)
			}
		}
		hangs.Work()
		for range 3 {
			look() // at 0, 30 and 60 s
			busy.Wait()
			busy.Work()
			hangs.Work() // is no new turn
			time.Sleep(30 * time.Second)
		}
		look("hangs")
		time.Sleep(2 * time.Minute)
		look("busy", "hangs")
		hangs.Wait()
		hangs.Work()
		look("busy")
		busy.End()
		look()
		time.Sleep(24 * time.Hour)
		look("hangs")
	})
}

// A long turn is not stuck while it comes forward, nor while it waits for something that another
// has. It is when it does neither any more.
func TestALongTurnThatMovesIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		moves, rests, waits := p.Loop("moves"), p.Loop("rests"), p.Loop("waits")
		moves.Work()
		rests.Work()
		end, twice := rests.Rest(), rests.Rest()
		look := func(want ...string) {
			t.Helper()
			if got := p.Stuck(time.Minute); !slices.Equal(got, want) {
				t.Errorf("after %v: stuck are %q, want %q", time.Now(), got, want)
			}
		}
		pass := func(want ...string) {
			for range 10 {
				time.Sleep(30 * time.Second)
				Of(moves.In(t.Context())).Move()
				look(want...)
			}
		}
		pass()
		end()
		pass()
		twice()
		time.Sleep(time.Minute)
		moves.Move()
		waits.Move() // does not make it work
		look()
		time.Sleep(time.Minute + 1)
		look("moves", "rests")
		rests.Wait()
		moves.Wait()
		pass()
	})
}

// A program without a watchdog has no pulse; its loops need not know.
func TestWithoutAPulseNothingHappens(t *testing.T) {
	var p *Pulse
	loop := p.Loop("x")
	loop.Work()
	loop.Move()
	loop.Rest()()
	loop.Wait()
	loop.End()
	if loop != nil {
		t.Error("a loop was made")
	}
	if ctx := t.Context(); loop.In(ctx) != ctx || Of(ctx) != nil {
		t.Error("a context has a loop")
	}
}

// Loops come, go and turn while another goroutine looks.
func TestLoopsTurnWhileTheyAreLookedAt(t *testing.T) {
	p := New()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				l := p.Loop("l")
				l.Work()
				all.Go(l.Rest()) // what a turn has called may outlast it
				l.Move()
				l.Wait()
				l.End()
			}
		})
	}
	for range 1000 {
		p.Stuck(time.Hour)
	}
	all.Wait()
	if n := len(p.loops); n != 0 {
		t.Errorf("%d loops are left", n)
	}
}

func BenchmarkTurn(b *testing.B) {
	for name, p := range map[string]*Pulse{"watched": New(), "unwatched": nil} {
		b.Run(name, func(b *testing.B) {
			l := p.Loop("l")
			b.ReportAllocs()
			for b.Loop() {
				l.Work()
				l.Wait()
			}
		})
	}
}
