// Package relay carries packets between two ends and treats them as badly as a
// test wants: it loses, delays, reorders and swallows them.
//
// An end is anything that reads and writes one packet at a time, such as a TUN
// device. What a relay loses is lost without an error, as on a radio link: no program
// is notified, and connections stay open at both ends.
package relay

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conditions are those of one direction. The zero value passes everything at once.
type Conditions struct {
	Loss   float64       // share of the packets that are lost, 0 to 1
	Delay  time.Duration // of every packet
	Jitter time.Duration // up to so much more, for each by itself: packets overtake each other
	Cut    bool          // nothing passes, and what is on its way is lost
}

// Counts are those of one direction.
type Counts struct {
	Passed, Lost uint64
	Overtaken    uint64 // passed after one that came in later
}

// maxQueued bounds what is on its way in one direction, in packets. As in a
// router, what comes when the queue is full is lost.
const maxQueued = 4096

// maxPacket is the largest IP packet.
const maxPacket = 65535

// Relay carries packets between two ends.
type Relay struct {
	ways [2]way
}

// New returns a relay between a and b. Random decisions follow from seed, as far
// as the ends do the same again.
func New(a, b io.ReadWriteCloser, seed uint64) *Relay {
	r := &Relay{}
	for i, w := range []struct{ from, to io.ReadWriteCloser }{{a, b}, {b, a}} {
		r.ways[i] = way{from: w.from, to: w.to, random: rand.New(rand.NewPCG(seed, uint64(i))), kick: make(chan struct{}, 1)}
	}
	return r
}

// Set sets the conditions from a to b and from b to a. Packets on their way keep
// the delay that they had, but a cut takes them.
func (r *Relay) Set(ab, ba Conditions) {
	for i, c := range []Conditions{ab, ba} {
		w := &r.ways[i]
		w.mu.Lock()
		w.conditions = c
		if c.Cut {
			w.lost.Add(uint64(len(w.queue)))
			w.queue = nil
		}
		w.mu.Unlock()
	}
}

// Counts returns those from a to b and from b to a.
func (r *Relay) Counts() (ab, ba Counts) {
	return r.ways[0].counts(), r.ways[1].counts()
}

// Run carries packets until ctx ends; then it closes both ends and returns nil.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(r.ways))
	for i := range r.ways {
		w := &r.ways[i]
		wg.Go(func() { w.deliver(ctx) })
		wg.Go(func() {
			defer cancel() // one end's failure ends both
			errs[i] = w.take(ctx)
		})
	}
	<-ctx.Done()
	for i := range r.ways {
		r.ways[i].from.Close()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// way is one direction.
type way struct {
	from, to io.ReadWriteCloser

	passed, lost, overtaken atomic.Uint64

	mu         sync.Mutex
	conditions Conditions
	random     *rand.Rand
	queue      queue
	next       uint64        // number of the next packet
	kick       chan struct{} // the queue has a new head
}

func (w *way) counts() Counts {
	return Counts{Passed: w.passed.Load(), Lost: w.lost.Load(), Overtaken: w.overtaken.Load()}
}

// take reads packets and decides what becomes of each.
func (w *way) take(ctx context.Context) error {
	buf := make([]byte, maxPacket)
	for {
		n, err := w.from.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case down(err):
			// The interface is down, and comes up again: there is no event to wait for.
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nil
			}
			continue
		case err != nil:
			return err
		}
		if w.accept(buf[:n]) {
			select {
			case w.kick <- struct{}{}:
			default:
			}
		}
	}
}

// accept queues a packet unless it is lost.
func (w *way) accept(b []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conditions
	if c.Cut || len(w.queue) >= maxQueued || c.Loss > 0 && w.random.Float64() < c.Loss {
		w.lost.Add(1)
		return false
	}
	due := time.Now().Add(c.Delay)
	if c.Jitter > 0 {
		due = due.Add(time.Duration(w.random.Int64N(int64(c.Jitter))))
	}
	heap.Push(&w.queue, packet{number: w.next, due: due, bytes: append([]byte(nil), b...)})
	w.next++
	return true
}

// deliver writes packets when they are due.
func (w *way) deliver(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	last := uint64(0) // number of the latest that was written, plus 1
	for {
		w.mu.Lock()
		wait := time.Hour
		var p packet
		if len(w.queue) > 0 {
			if wait = time.Until(w.queue[0].due); wait <= 0 {
				p = heap.Pop(&w.queue).(packet)
			}
		}
		w.mu.Unlock()
		if p.bytes != nil {
			if _, err := w.to.Write(p.bytes); err != nil { // the interface is down
				w.lost.Add(1)
				continue
			}
			w.passed.Add(1)
			if p.number < last {
				w.overtaken.Add(1)
			}
			last = max(last, p.number+1)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-w.kick:
		case <-ctx.Done():
			return
		}
	}
}

// down reports whether an interface is not up.
func down(err error) bool {
	for _, e := range []error{syscall.EIO, syscall.EFAULT, syscall.ENETDOWN} { // tun_do_read in drivers/net/tun.c
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

type packet struct {
	number uint64
	due    time.Time
	bytes  []byte
}

// queue is a heap: the packet that is due first, and came in first, is on top.
type queue []packet

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(packet)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = packet{}
	*q = (*q)[:len(*q)-1]
	return last
}
