package mqttlink

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/internal/pace"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/wire"
	"pithings/pulse"
)

// flight is a record of the outbox that the sender is done with.
type outgoing struct {
	r       outbox.Record
	alone   bool // acknowledged by itself, not with all before it
	staged  bool // may not be safe yet: Publish has sent it itself
	fate    fate
	receipt *wire.Receipt // if it was sent
	sent    time.Time

	reason   string // of a dead letter
	sessions int    // that a poison message has ended
}

// fate is what the sender has done with a record.
type fate int

const (
	sent      fate = iota
	handed         // QoS 0, given to the network in an earlier session
	expired        // not worth being sent any more
	excluded       // a dead letter: its topic is excluded
	poison         // a dead letter: the broker closes the connection upon it
	overLimit      // a dead letter: it is over a limit of the broker
)

// acked reports whether the message is done: acknowledged, or written with QoS 0. The
// session ends if it could not be written.
func (f *outgoing) acked() bool { return f.receipt.IsDone() }

// saveEvery is how many acknowledgements are saved together at most. Their places in the
// window stay taken until then, so that no more than a window is sent again after a kill.
const saveEvery = 8

// inflight is what one session has in flight. The sender adds to it, the acker takes from
// it.
type inflight struct {
	window   pace.Window
	messages chan outgoing // in the order of the outbox; closed when the sender ends
	acks     chan struct{} // has a token when a flight may have been acknowledged
	overdue  *time.Timer   // fires when one should have been, if watched
	watched  atomic.Bool
	soon     *time.Timer // fires when acknowledgements and writing have waited for others, if noted
	noted    atomic.Bool
	unsafe   atomic.Uint64 // the last message that Publish has not waited for; 0: all are written
	timeout  time.Duration // for an acknowledgement
	flushing *atomic.Int32 // callers that wait for the outbox to be empty

	mu        sync.Mutex
	unwritten []outgoing // QoS 0, and not known to have been written yet
}

func newInflight(window int, timeout time.Duration, flushing *atomic.Int32) *inflight {
	return &inflight{
		window: pace.NewWindow(window), messages: make(chan outgoing, window), acks: make(chan struct{}, 1), timeout: timeout, flushing: flushing,
		overdue: time.NewTimer(time.Hour), soon: time.NewTimer(time.Hour),
	}
}

// add notes that f is in flight.
func (i *inflight) add(f *outgoing) {
	if f.r.QoS == 0 {
		i.mu.Lock()
		i.unwritten = append(i.unwritten, *f)
		i.mu.Unlock()
	}
	i.messages <- *f
	switch { // it may be acked before it could be found among the messages
	case f.acked() && f.r.QoS == 0:
		i.note()
	case f.acked():
		i.puback()
	case !i.watched.Swap(true):
		i.overdue.Reset(i.timeout)
	}
}

// pass notes a flight that is not sent.
func (i *inflight) pass(f outgoing) {
	i.messages <- f
	i.note()
}

// note wakes the acker.
func (i *inflight) note() {
	select {
	case i.acks <- struct{}{}:
	default: // it has been woken already
	}
}

// behind is how long a PUBACK waits for others to be saved with it, and a message with an
// expiry for others to be written with it, if no caller waits for them: a flow has more to
// do just then.
const behind = 2 * time.Millisecond

// later wakes the acker in a moment.
func (i *inflight) later() {
	if !i.noted.Swap(true) {
		i.soon.Reset(behind)
	}
}

// puback wakes the acker: at once if enough is acknowledged to be saved, or a caller waits
// for the outbox to be empty.
func (i *inflight) puback() {
	if i.flushing.Load() > 0 || i.window.Taken() >= min(saveEvery, cap(i.window)) {
		i.note()
	} else {
		i.later()
	}
}

// written returns the messages with QoS 0 that are known to have been written since it was
// called last.
func (i *inflight) written() (all []outgoing) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for ; n < len(i.unwritten) && i.unwritten[n].acked(); n++ {
		if i.unwritten[n].receipt.Err() == nil {
			all = append(all, i.unwritten[n])
		}
	}
	i.unwritten = i.unwritten[:copy(i.unwritten, i.unwritten[n:])]
	return all
}

func (i *inflight) stop() {
	i.overdue.Stop()
	i.soon.Stop()
}

// errEnding ends a session because the link ends.
var errEnding = errors.New("the link ends")

// ending is the end of a session, which any of its parts can bring about.
type ending struct {
	ended chan struct{} // closed with the first reason to end
	once  sync.Once
	err   error     // that reason; read after ended is closed
	at    time.Time // when it came; likewise
}

// end notes why the session ends. Only the first reason counts.
func (e *ending) end(err error) {
	e.once.Do(func() {
		e.err, e.at = err, time.Now()
		close(e.ended)
	})
}

// over reports whether the session has ended.
func (e *ending) over() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// pause waits for d. It returns false if the session ends first.
func (e *ending) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-e.ended:
		return false
	}
}

// carry is what one session leaves to the next. Sessions never overlap: it belongs to the
// sender, and to the session's end.
type carry struct {
	handed   uint64          // highest record with QoS 0 that was given to the network
	sent     uint64          // highest record sent at all
	stranded map[uint64]bool // records that were sent without an answer
	states   states
	rates    pace.Rates
	patience pace.Patience
	fresh    bool // what stood in the way is gone: the back-off starts anew
}

// strand remembers what a session has sent without an answer.
func (c *carry) strand(left []outgoing, window int) {
	if len(c.stranded) > 10*window { // those that were dropped in the outbox since
		clear(c.stranded)
	}
	for _, f := range left {
		if f.fate == sent {
			c.stranded[f.r.Seq] = true
		}
	}
}

// resent reports whether a record is sent once more, and forgets it.
func (c *carry) resent(seq uint64) bool {
	if !c.stranded[seq] {
		return false
	}
	delete(c.stranded, seq)
	return true
}

// acker takes what has been acknowledged out of the outbox, in the order in which it was
// sent. It is not woken by what is sent, which would be twice for each message, but by what
// is acknowledged, and when the time is up.
type acker struct {
	*base
	*ending
	queue    *queue
	suspects *suspects
	carry    *carry
	out      *inflight
	turns    *pulse.Loop // of run

	head     outgoing // the next to be acknowledged, if there is one
	waits    bool
	progress time.Time // when the last one was acknowledged
	unsaved  int

	// Read when run has returned.
	acks    int        // PUBACKs in this session
	unacked []outgoing // what was in flight at its end
}

// run continues at the end of the session with what has been acknowledged, up to the first
// gap.
func (a *acker) run() {
	a.turns = a.loop("acknowledgements")
	defer a.turns.End()
	defer a.save()
	defer a.makeSafe()
	for {
		a.turns.Work()
		a.out.noted.Store(false) // before it is looked: what comes later wakes it
		a.makeSafe()
		if !a.take() {
			return
		}
		a.save()
		a.turns.Wait()
		select {
		case <-a.out.acks:
		case <-a.out.soon.C:
		case <-a.out.overdue.C:
			a.turns.Work()
			a.watch()
		case <-a.ended:
			a.turns.Work()
			a.finish()
			return
		}
	}
}

// take deals with what has been acknowledged. It returns false when no more is sent.
func (a *acker) take() bool {
	for {
		if !a.waits {
			select {
			case f, ok := <-a.out.messages:
				if !ok {
					return false
				}
				a.head, a.waits = f, true
			default:
				return true
			}
		}
		if a.head.fate == sent {
			if !a.head.acked() {
				return true
			}
			if err := a.head.receipt.Err(); err != nil {
				a.end(err)
				return true
			}
		}
		a.waits = false
		a.remove(&a.head)
	}
}

// remove takes one message out of the outbox.
func (a *acker) remove(f *outgoing) {
	a.progress = time.Now()
	a.noteHanded()
	confirmed := f.fate == sent && f.r.QoS > 0
	if confirmed {
		a.acks++
	}
	a.queue.remove(f)
	if confirmed && !a.suspects.rest.Load() {
		a.suspects.delivered(f.r.Topic)
	}
	a.unsaved++
	if len(a.out.messages) == 0 {
		runtime.Gosched() // who has waited for this continues first
	}
	if a.unsaved >= min(saveEvery, a.o.Window) {
		a.save()
	}
}

// save saves what was taken out, and gives its places in the window back.
func (a *acker) save() {
	if a.unsaved > 0 {
		a.queue.box.Save()
		a.turns.Move() // take and finish save many times, and on a slow disk each takes seconds
	}
	a.out.window.GiveBack(a.unsaved)
	a.unsaved = 0
}

// watch ends the session if nothing has been acknowledged for too long.
func (a *acker) watch() {
	limit := a.out.timeout
	a.out.watched.Store(false)
	if !a.take() || !a.waits {
		return
	}
	since := a.progress
	if a.head.sent.After(since) {
		since = a.head.sent
	}
	if left := time.Until(since.Add(limit)); left > 0 {
		a.out.watched.Store(true)
		a.out.overdue.Reset(left)
		return
	}
	a.end(fault(NoAck, nil, "%s did not acknowledge a message within %s; the connection is opened again and the message repeated: if that does not end, the broker throttles or forbids it",
		a.endpoint, limit))
}

// makeSafe writes what Publish has not waited for. If it cannot be written, the outbox keeps
// it in memory, and logs that.
func (a *acker) makeSafe() {
	if seq := a.out.unsafe.Swap(0); seq != 0 {
		_ = a.queue.box.Settle(seq)
	}
}

// finish deals with what the session has left.
func (a *acker) finish() {
	gap := false
	one := func(f outgoing) {
		gap = gap || f.fate == sent && (!f.acked() || f.receipt.Err() != nil)
		if !gap {
			a.remove(&f)
			return
		}
		a.unacked = append(a.unacked, f)
	}
	if a.waits {
		a.waits = false
		one(a.head)
	}
	for f := range a.out.messages {
		if a.unsaved > 0 && len(a.out.messages) == 0 {
			a.save()
		}
		one(f)
	}
}

// noteHanded finds out which messages with QoS 0 have been given to the network: those must
// not be sent again, also if they are behind one that must.
func (a *acker) noteHanded() {
	for _, f := range a.out.written() {
		if a.o.LiveFirst { // what was handed over is not all before one number
			a.queue.ack(&f)
		} else if f.r.Seq > a.carry.handed {
			a.carry.handed = f.r.Seq
			a.queue.box.SetHanded(f.r.Seq)
		}
	}
}

// firstLeft returns the first message with QoS 1 that was sent in this session and not
// acknowledged, or nil.
func (a *acker) firstUnacked() *outgoing {
	for i := range a.unacked {
		if f := &a.unacked[i]; f.fate == sent && f.r.QoS > 0 {
			return f
		}
	}
	return nil
}
