// Package pulse shows whether the loops of a program move: whether each that has begun to work
// comes to its next wait. A watchdog that is fed by a timer of its own stays fed while the rest
// of the program hangs; one that asks here first does not.
//
// A loop that waits for something to do may wait for ever. So it costs nothing while nothing
// happens, and an addition for each turn.
//
// A turn may be long: a reading of many registers on a slow line, a hundred messages on a slow
// disk. What the loop calls notes that it comes forward (Move), and that it waits for what others
// have (Rest). It finds the loop in its context: In, Of.
//
//	loop := p.Loop("thing hall")
//	defer loop.End()
//	for {
//		loop.Wait()
//		select { … }
//		loop.Work()
//		…
//	}
package pulse

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Pulse has the loops of a program. A nil *Pulse is that of a program without a watchdog: its loops are nil, and
// a nil *Loop does nothing.
type Pulse struct {
	mu    sync.Mutex
	loops map[*Loop]struct{}
}

// New returns a Pulse without loops.
func New() *Pulse { return &Pulse{loops: map[*Loop]struct{}{}} }

// Loop is the account of one loop. It begins waiting. Work, Wait and End are called by one
// goroutine at a time.
type Loop struct {
	of    *Pulse
	name  string
	turns atomic.Uint64 // changes of state, and 2 for each Move; odd while it works
	rests atomic.Int64  // calls of Rest without their end

	// What Stuck has seen last, under Pulse.mu.
	seen  uint64
	since time.Time
}

// Loop adds a loop, until its End.
func (p *Pulse) Loop(name string) *Loop {
	if p == nil {
		return nil
	}
	l := &Loop{of: p, name: name}
	p.mu.Lock()
	p.loops[l] = struct{}{}
	p.mu.Unlock()
	return l
}

// Work notes that the loop has something to do.
func (l *Loop) Work() { l.turn(1) }

// Wait notes that the loop waits for something to do.
func (l *Loop) Wait() { l.turn(0) }

// turn changes the state, if it is another.
func (l *Loop) turn(state uint64) {
	if l != nil && l.turns.Load()&1 != state {
		l.turns.Add(1)
	}
}

// Move notes that the loop comes forward, in the state in which it is. Any goroutine that works
// for the loop may call it.
func (l *Loop) Move() {
	if l != nil {
		l.turns.Add(2)
	}
}

// Rest notes that the loop waits for something that another has, until end is called: a lock, a
// line. It is not stuck meanwhile. What it waits for must come free by itself. Any goroutine
// that works for the loop may call Rest and end.
func (l *Loop) Rest() (end func()) {
	if l == nil {
		return func() {}
	}
	l.rests.Add(1)
	return func() {
		l.turns.Add(2) // first: a look between the two finds it moved
		l.rests.Add(-1)
	}
}

// key is that of a loop in a context.
type key struct{}

// In returns ctx with the loop in it, for what the loop calls.
func (l *Loop) In(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, l)
}

// Of returns the loop in ctx, nil if there is none.
func Of(ctx context.Context) *Loop {
	l, _ := ctx.Value(key{}).(*Loop)
	return l
}

// End removes the loop.
func (l *Loop) End() {
	if l == nil {
		return
	}
	l.of.mu.Lock()
	delete(l.of.loops, l)
	l.of.mu.Unlock()
}

// String lists the loops, one a line, sorted.
func (p *Pulse) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for l := range p.loops {
		names = append(names, l.name+"\n")
	}
	slices.Sort(names)
	return strings.Join(names, "")
}

// Stuck lists the loops that have worked at one turn for longer than limit without a Move or a
// Rest, sorted. A turn is
// known from the first call that finds it: call it again and again, at intervals shorter than
// limit.
func (p *Pulse) Stuck(limit time.Duration) (names []string) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.loops {
		turn := l.turns.Load()
		switch {
		case turn != l.seen, turn&1 == 0, l.rests.Load() > 0:
			l.seen, l.since = turn, now
		case now.Sub(l.since) > limit:
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names
}
