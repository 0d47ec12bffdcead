package engine

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"

	"pithings/mqttlink/clock"
)

// agenda is all that an engine waits for: one timer, however many triggers and
// steps wait. Nothing runs while nothing is due.
//
// There are two kinds of due times. Durations are counted by a clock that is
// never set. Times of the day are the wall clock's: they are sought anew when that is
// set, and not before it is known to be right.
type agenda struct {
	clock *clock.Clock
	wall  func() time.Time // the wall clock
	base  time.Time        // when it began, with its monotonic reading

	mu      sync.Mutex
	closed  bool
	queues  [2]queue // by kind
	timer   *time.Timer
	looked  time.Duration // by the one clock, at the last look
	read    time.Time     // by the other one
	waiting bool          // for the clock to be known
	pending []*entry      // that are set right when it is
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
}

// The kinds of due times.
const (
	byDuration = iota
	byWall
)

// longestWait is how long the timer sleeps before it looks at the wall clock again,
// which may have been set.
const longestWait = time.Hour

// settleTime is how much the wall clock may move against the monotonic one
// before what depends on it is sought anew.
const settleTime = time.Minute

// alarm is what an entry is for. Its methods return at once; no lock is held.
type alarm interface {
	// ring is called once when the time has come. now is the wall clock's for those
	// that wait for it.
	ring(now time.Time)
	// reset is called when the wall clock was set or has become known, for entries that
	// wait for it, and for those that asked for it.
	reset(now time.Time)
}

// entry is one due time. It is a part of what it is for.
type entry struct {
	alarm alarm
	at    int64 // nanoseconds since base, or of Unix time
	place int32 // in its queue, from 1; 0: in none
	kind  uint8
	over  bool // it is never due again
}

func newAgenda(c *clock.Clock, wall func() time.Time) *agenda {
	if wall == nil {
		wall = time.Now
	}
	now := time.Now()
	return &agenda{clock: c, wall: wall, base: now, read: wall().Round(0)}
}

// after has an entry ring after some time.
func (a *agenda) after(e *entry, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(e, byDuration, int64(time.Since(a.base)+max(wait, 0)))
}

// at has an entry ring at a time of the wall clock. The zero time is never, but for
// reset.
func (a *agenda) at(e *entry, t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := int64(math.MaxInt64)
	if !t.IsZero() {
		at = t.UnixNano()
	}
	a.put(e, byWall, at)
	a.await()
}

// whenKnown has an entry reset once the clock is known.
func (a *agenda) whenKnown(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !e.over && !a.known() {
		a.pending = append(a.pending, e)
		a.await()
	}
}

// put queues an entry, in the place where it was. The lock is held.
func (a *agenda) put(e *entry, kind uint8, at int64) {
	a.take(e)
	if e.over || a.closed {
		return
	}
	if kind == byWall && len(a.queues[byWall]) == 0 && !a.waiting { // what was before is of no interest
		a.look()
	}
	e.kind, e.at = kind, at
	heap.Push(&a.queues[kind], e)
	if e.place == 1 {
		a.arm()
	}
}

// take takes an entry out. The lock is held.
func (a *agenda) take(e *entry) {
	if e.place != 0 {
		heap.Remove(&a.queues[e.kind], int(e.place-1))
	}
}

// drop takes an entry out for ever.
func (a *agenda) drop(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(e)
	e.over = true
}

// stop takes an entry out until it is queued again.
func (a *agenda) stop(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(e)
}

// close stops the timer. Nothing rings afterwards, but for what rings now.
func (a *agenda) close() {
	a.mu.Lock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.cancel != nil {
		a.cancel()
	}
	a.mu.Unlock()
	a.tasks.Wait()
}

// known reports whether the wall clock is right.
func (a *agenda) known() bool { return a.clock.Known() }

// look notes both clocks, and returns how far the wall clock has moved against the
// other one. The lock is held.
func (a *agenda) look() (moved time.Duration) {
	mono, wall := time.Since(a.base), a.wall().Round(0)
	moved = wall.Sub(a.read) - (mono - a.looked)
	a.looked, a.read = mono, wall
	return moved
}

// arm sets the timer to what is due first. The lock is held.
func (a *agenda) arm() {
	wait := time.Duration(math.MaxInt64)
	if q := a.queues[byDuration]; len(q) > 0 {
		wait = time.Duration(q[0].at) - time.Since(a.base)
	}
	if q := a.queues[byWall]; len(q) > 0 && a.known() {
		sleep := longestWait
		if q[0].at != math.MaxInt64 {
			sleep = min(sleep, time.Unix(0, q[0].at).Sub(a.wall().Round(0)))
		}
		wait = min(wait, sleep)
	}
	switch {
	case a.closed || wait == math.MaxInt64:
		if a.timer != nil {
			a.timer.Stop()
		}
	case a.timer == nil:
		a.timer = time.AfterFunc(max(wait, 0), a.wake)
	default:
		a.timer.Reset(max(wait, 0))
	}
}

// wake rings what is due.
func (a *agenda) wake() {
	var due, set []*entry
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	now, mono := a.wall(), int64(time.Since(a.base))
	if a.look().Abs() >= settleTime {
		set = a.all()
	}
	for kind, until := range [2]int64{byDuration: mono, byWall: now.UnixNano()} {
		for q := &a.queues[kind]; len(*q) > 0 && (*q)[0].at <= until && (kind == byDuration || a.known()); {
			due = append(due, (*q)[0])
			a.take((*q)[0])
		}
	}
	a.arm()
	a.mu.Unlock()
	for _, e := range due {
		e.alarm.ring(now)
	}
	for _, e := range set {
		e.alarm.reset(now)
	}
}

// all takes out what waits for the wall clock. The lock is held.
func (a *agenda) all() []*entry {
	all := append([]*entry(nil), a.queues[byWall]...)
	for _, e := range all {
		a.take(e)
	}
	return all
}

// await waits for the clock to be known, if it is not. The lock is held.
func (a *agenda) await() {
	if a.waiting || a.closed || a.known() {
		return
	}
	a.waiting = true
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.Background())
	a.tasks.Go(func() {
		for {
			changed := a.clock.Changed()
			if a.known() {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
		a.mu.Lock()
		a.waiting = false
		a.look()
		set := append(a.all(), a.pending...)
		a.pending = nil
		a.mu.Unlock()
		now := a.wall()
		for _, e := range set {
			e.alarm.reset(now)
		}
	})
}

// queue is a heap of entries, those that are due first at its top.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = int32(i+1), int32(j+1)
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e := x.(*entry)
	*q = append(*q, e)
	e.place = int32(len(*q))
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.place = 0
	return e
}
