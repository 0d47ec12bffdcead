package pub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/spool/control"
	"pithings/spool/state"
)

// pendingCount and pendingBytes bound what has been read and not been reported safe.
const (
	pendingCount = 4096
	pendingBytes = 8 << 20
)

// UnsafeError says that messages are not safe.
type UnsafeError struct {
	Unsafe  int // they may be lost
	Refused int
	Why     string // the last refusal
}

// Error reports how many, and why.
func (e *UnsafeError) Error() string {
	switch {
	case e.Unsafe == 1:
		return "a message is not safe: it is not on the disk yet"
	case e.Unsafe > 0:
		return fmt.Sprintf("%d messages are not safe: they are not on the disk yet", e.Unsafe)
	case e.Refused == 1:
		return "a message was refused: " + e.Why
	}
	return fmt.Sprintf("%d messages were refused: %s", e.Refused, e.Why)
}

// place is where messages are handed over to.
type place interface {
	put(ctx context.Context, ms []mqttlink.Message) error
	// verdicts has the answers of the place. When it is no more, cause gives the reason.
	verdicts() *inbox
	cause() error
	// asked is closed when another process asks for the place.
	asked() <-chan struct{}
	close() error
}

// run is one call of Run.
type run struct {
	o     *Options
	where place // changed by the goroutine of Run alone, with mu held

	mu      sync.Mutex
	room    sync.Cond     // fewer messages are pending, or the run has ended
	done    chan struct{} // closed when the input has ended and nothing is pending
	ended   bool          // the input has
	stopped atomic.Bool   // the run has
	wrong   error         // with the input
	read    int           // messages so far
	pending []item        // from the first that is not settled on
	first   int           // the place's number of that one
	bytes   int           // of their payloads
	end     UnsafeError
	out     []byte
	gave    time.Time    // when it gave way
	beside  bool         // an agent with another folder has taken messages
	alone   bool         // that agent has ended
	answers atomic.Int64 // verdicts so far
}

// item is a message that was handed over.
type item struct {
	n        int // its number
	m        mqttlink.Message
	reported bool
	settled  bool
}

// Run hands over what Input gives, and returns when all of it is safe: nil, or an
// UnsafeError that says what is not.
func Run(ctx context.Context, o Options) error {
	o.Queue.Sync = outbox.SyncAlways
	o.silence = cmp.Or(o.silence, patience)
	r := &run{o: &o, first: 1, done: make(chan struct{})}
	r.room.L = &r.mu
	err := r.all(ctx)
	if l, ok := r.where.(*local); ok && err == nil && o.Link.Endpoint != "" {
		l.linger(ctx, o.Linger)
	}
	r.stopped.Store(true)
	if r.where != nil { // closing it also ends a put that waits
		if closeErr := r.where.close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}
	if l, ok := r.where.(*local); ok && o.Rest != nil {
		o.Rest(l.rest)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room.Broadcast()
	for _, p := range r.pending {
		if !p.settled {
			r.end.Unsafe++
		}
	}
	if r.end.Unsafe > 0 && (err == nil || ctx.Err() != nil) {
		return &r.end
	}
	if err == nil && r.end.Refused > 0 {
		return &r.end
	}
	return err
}

// all hands over the input to its end.
func (r *run) all(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	go r.feed(ctx) // it may be waiting for input when all else has ended
	look := time.NewTicker(r.o.silence)
	defer look.Stop()
	answers, warned := int64(0), false
	for {
		select {
		case <-r.done:
			return r.wrong
		case <-r.where.verdicts().ready:
			if err := r.turn(ctx); err != nil {
				return err
			}
		case <-r.where.asked():
			if err := r.giveWay(ctx); err != nil {
				return err
			}
		case <-look.C:
			now := r.answers.Load()
			silent := now == answers && r.waits()
			if silent && !warned {
				r.o.Log.Warn("the pithings that owns the state folder does not answer; what was handed over waits for it", "state", r.o.State, "for", r.o.silence)
			}
			answers, warned = now, silent
			if err := r.rejoin(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// waits reports whether another process owes an answer.
func (r *run) waits() bool {
	if !r.mu.TryLock() {
		return true // for room in its socket
	}
	defer r.mu.Unlock()
	_, beside := r.where.(*remote)
	return beside && len(r.pending) > 0 && !r.pending[len(r.pending)-1].reported
}

// feed hands over what is read, and settles what is answered at once.
func (r *run) feed(ctx context.Context) {
	for {
		ms, err := r.o.Input()
		r.mu.Lock()
		for !r.stopped.Load() && (len(r.pending) >= pendingCount/2 || r.bytes >= pendingBytes) {
			r.room.Wait()
		}
		if r.stopped.Load() {
			r.mu.Unlock()
			return
		}
		for _, m := range ms {
			r.read++
			r.pending = append(r.pending, item{n: r.read, m: m})
			r.bytes += len(m.Payload)
		}
		r.ended, r.wrong = len(ms) == 0 || err != nil, err
		ended := r.ended
		r.hand(ctx, ms)
		r.mu.Unlock()
		if ended {
			return
		}
	}
}

// turn settles what the place has reported, and finds another if it is no more.
func (r *run) turn(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	vs, gone := r.where.verdicts().take()
	if r.settle(vs); gone {
		return r.reopen(ctx)
	}
	return nil
}

// giveWay leaves the folder to the process that asked for it, and continues beside it.
func (r *run) giveWay(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.where.close() // what was in its memory only is handed over again
	vs, _ := r.where.verdicts().take()
	r.settle(vs)
	r.gave = time.Now()
	return r.again(ctx)
}

// hand hands messages over. If the place is no more, its inbox reports it.
func (r *run) hand(ctx context.Context, ms []mqttlink.Message) {
	in := r.where.verdicts()
	in.put()
	_ = r.where.put(ctx, ms)
	vs, gone := in.take()
	if r.settle(vs); gone {
		in.signal()
	}
}

// settle notes what has become of messages.
func (r *run) settle(vs []Verdict) {
	r.answers.Add(int64(len(vs)))
	r.out = r.out[:0]
	for _, v := range vs {
		i := v.N - r.first
		if i < 0 || i >= len(r.pending) {
			continue // an owner that cannot count
		}
		p := &r.pending[i]
		p.reported = true
		if v.Fate == Refused {
			r.refused(p.n, v.Why)
		} else {
			r.out = append(append(r.out, v.Fate...), ' ')
			r.out = append(strconv.AppendInt(r.out, int64(p.n), 10), '\n')
		}
		p.settled = v.Fate != Unsaved
	}
	n := 0
	for ; n < len(r.pending) && r.pending[n].settled; n++ {
		r.bytes -= len(r.pending[n].m.Payload)
		r.pending[n] = item{}
	}
	r.first += n
	r.pending = r.pending[n:]
	if r.o.Verdicts != nil && len(r.out) > 0 {
		_, _ = r.o.Verdicts.Write(r.out)
	}
	r.room.Broadcast()
	if r.ended && len(r.pending) == 0 {
		select {
		case <-r.done:
		default:
			close(r.done)
		}
	}
}

// refused notes and logs a refusal: each line of the first ones, for whoever feeds a
// wrong file should not fill a log with it.
func (r *run) refused(n int, why string) {
	const each = 20
	r.end.Refused++
	r.end.Why = why
	if r.end.Refused <= each {
		r.o.Log.Error("message refused", "line", n, "reason", why)
	} else if r.end.Refused == each+1 {
		r.o.Log.Error("more messages are refused: they are the lines without \"safe\"")
	}
}

// reopen finds another place after the owner has ended.
func (r *run) reopen(ctx context.Context) error {
	if err := r.where.cause(); errors.Is(err, errOwnerRefuses) {
		return err
	}
	_ = r.where.close()
	return r.again(ctx)
}

// again opens a place, and hands over again what has not been reported safe.
func (r *run) again(ctx context.Context) error {
	r.where = nil
	if err := r.open(ctx); err != nil {
		r.stopped.Store(true)
		return err
	}
	r.pending = slices.DeleteFunc(r.pending, func(p item) bool { return p.settled })
	r.first = 1
	again := make([]mqttlink.Message, len(r.pending))
	for i := range r.pending {
		again[i], r.pending[i].reported = r.pending[i].m, false
	}
	r.hand(ctx, again)
	return nil
}

// open finds the agent, takes the folder, or finds its owner.
func (r *run) open(ctx context.Context) error {
	if r.o.Agent != "" && !r.alone {
		if found, err := r.openAgent(ctx); found || err != nil {
			return err
		}
	}
	client := control.NewClient((&state.Folder{Dir: r.o.State}).Socket())
	defer client.Close()
	began := time.Now()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := fmt.Errorf("state folder %s: %w", r.o.State, state.ErrInUse) // by who asked for it, or soon
		if time.Since(r.gave) > stayAway {
			var l *local
			if l, err = own(r.o, newWanted()); err == nil {
				r.where = l
				return nil
			}
		}
		if !inUse(err) {
			return err
		}
		remote, remoteErr := newRemote(ctx, client, r.o.Connection)
		if remoteErr == nil {
			r.where = remote
			r.noteOwner(ctx, client)
			return nil
		}
		var answer *control.AnswerError
		refused := errors.As(remoteErr, &answer)
		if refused && answer.Status == http.StatusNotFound {
			refused = false // a drain takes no messages, but goes; or one that is just starting, or ending
			if askToGiveWay(ctx, client) == nil {
				pause = 5 * time.Millisecond
			}
		}
		if refused || errors.Is(remoteErr, control.ErrSilent) || time.Since(began) > patience {
			return fmt.Errorf("%w, and it takes no messages: %w", err, remoteErr)
		}
		select { // nothing reports when another process begins to listen
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
