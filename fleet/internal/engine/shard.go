package engine

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"pithings/mqttlink/packet"
)

// carrier moves the bytes of a shard's devices. Open, send and close are called with the shard's lock
// held, the others without it.
type carrier interface {
	// open begins to open a device's connection; the shard's opened or lost follow, maybe
	// before it returns.
	open(i int32)
	// send gives bytes to the network; what that does not take now follows later. An error is
	// of a connection that is of no use any more.
	send(i int32, b []byte) error
	// close ends a connection behind what is being sent, if it is soon sent. Nothing is heard
	// of it again.
	close(i int32)
	// wait handles what comes from the network, until a time, or wake is called.
	wait(until time.Duration)
	wake()
	// end waits for the end of all that the carrier has begun.
	end()
}

// shard is some of the devices: a goroutine, a lock, and a carrier for them.
type shard struct {
	e     *Engine
	first int // the number of its first device

	mu       sync.Mutex
	sessions []session
	timers   timers
	carrier  carrier
	stats    Stats
	random   *rand.Rand
	api      out
	out      []byte // packets that the call under way has made
	rest     int    // bytes that all its sessions keep in rest

	queue   ring  // of devices that want to connect
	opening int   // devices that are between open and online
	turn    int64 // when the next of the queue may connect
	stepped int64 // the last step at which work was done
	ending  bool
}

func newShard(e *Engine, first, n, index int) *shard {
	s := &shard{e: e, first: first, sessions: make([]session, n), timers: newTimers(n), queue: newRing(n)}
	s.random = rand.New(rand.NewPCG(e.o.Seed, uint64(index)))
	for i := range n {
		s.sessions[i].client = e.o.Client(first + i)
		if e.o.Away != nil && e.o.Away(first+i) {
			s.sessions[i].state = away
			s.stats.Away++
			continue
		}
		s.sessions[i].state = queued
		s.queue.push(int32(i))
	}
	return s
}

// run is the shard's goroutine.
func (s *shard) run(ctx context.Context) {
	woken := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(woken)
		s.carrier.wake()
	})
	for ctx.Err() == nil {
		s.carrier.wait(s.work())
	}
	<-woken // before end takes from wake what it uses
	s.finish()
	s.carrier.end()
}

// work does all that is due and returns when there will be more. That is at a whole step, so
// that devices whose times are close together share a wake-up.
func (s *shard) work() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.e.now()
	if now < s.step() {
		return time.Duration(s.step())
	}
	s.stepped = now
	for {
		i, at := s.timers.next()
		if at > now {
			break
		}
		s.due(i, now)
	}
	s.connect(now)
	return time.Duration(s.step())
}

// step is when there will be something to do.
func (s *shard) step() int64 {
	_, at := s.timers.next()
	if s.queue.n > 0 && s.opening < s.share(maxOpening) {
		at = min(at, s.turn)
	}
	if at == never {
		return never
	}
	return max((at+int64(step)-1)/int64(step)*int64(step), s.stepped+int64(step))
}

// share is this shard's part of a number that all share.
func (s *shard) share(n int) int { return max(n/len(s.e.shards), 1) }

// connect opens the connections whose turn it is. It is called at each step, and when others have
// been answered: 64 in a step would be 6,400 in a second.
func (s *shard) connect(now int64) {
	gap := s.e.ramp.gap(len(s.e.shards))
	s.turn = max(s.turn, now-2*int64(step)) // what was not used is not made up for
	for s.queue.n > 0 && s.opening < s.share(maxOpening) && s.turn <= now && !s.ending {
		i := s.queue.pop()
		s.turn += gap
		s.opening++
		s.stats.Attempts++
		d := &s.sessions[i]
		d.state, d.deadline = opening, now+int64(s.e.o.Connect)
		s.time(i)
		s.carrier.open(i)
	}
}

// due handles a device whose moment has come.
func (s *shard) due(i int32, now int64) {
	d := &s.sessions[i]
	switch d.state {
	case offline:
		d.state = queued
		s.queue.push(i)
		s.time(i)
		return
	case opening:
		s.lost(i, errors.New("the connection does not open in time"))
		return
	case greeting:
		s.lost(i, errors.New("no CONNACK in time"))
		return
	case subscribing:
		s.lost(i, errors.New("no SUBACK in time"))
		return
	case online:
	default:
		s.time(i)
		return
	}
	ack := int64(s.e.o.Ack)
	switch {
	case len(d.flights) > 0 && now >= d.flights[0].at+ack:
		s.lost(i, errors.New("no PUBACK in time"))
		return
	case d.pinged > 0 && now >= d.pinged+ack:
		s.lost(i, errors.New("no PINGRESP in time"))
		return
	}
	if w := d.client.Wake(); w >= 0 && now >= int64(w) && !s.ending {
		d.client.Tick(time.Duration(now), s.of(i))
	}
	if now >= d.silence() && d.pinged == 0 {
		s.out = packet.AppendPingreq(s.out)
		d.pinged, d.asked = now, now
	}
	s.flush(i)
}

// silence is when a device has to have sent something that is answered. Messages with QoS 0 are not: a
// connection that is dead takes them for minutes (tcp_retries2 in ip-sysctl).
func (d *session) silence() int64 {
	if d.keepalive == 0 {
		return never
	}
	return d.asked + int64(d.keepalive)*int64(time.Second)
}

// flush sends what a call has made for a device, and sets its next moment.
func (s *shard) flush(i int32) {
	d := &s.sessions[i]
	if len(s.out) > 0 {
		b := s.out
		s.out = s.out[:0]
		if cap(b) > maxUnsent {
			s.out = nil
		}
		if err := s.carrier.send(i, b); err != nil {
			s.lost(i, err)
			return
		}
		s.stats.BytesOut += uint64(len(b))
	}
	if d.wish != stay {
		s.grant(i)
		return
	}
	s.time(i)
}

// time sets a device's next moment.
func (s *shard) time(i int32) {
	d := &s.sessions[i]
	at := never
	switch d.state {
	case offline, opening, greeting, subscribing:
		at = d.deadline
	case online:
		at = d.silence()
		if len(d.flights) > 0 {
			at = min(at, d.flights[0].at+int64(s.e.o.Ack))
		}
		if d.pinged > 0 {
			at = d.pinged + int64(s.e.o.Ack) // nothing else is sent to find out whether it lives
			if len(d.flights) > 0 {
				at = min(at, d.flights[0].at+int64(s.e.o.Ack))
			}
		}
		if w := d.client.Wake(); w >= 0 && !s.ending {
			at = min(at, int64(w))
		}
	}
	s.timers.set(i, max(at, s.stepped+1)) // a device that wants to be called at once waits for the next step
}

// lost ends a device's connection because of an error.
func (s *shard) lost(i int32, err error) {
	d := &s.sessions[i]
	s.stats.failed(reason(err))
	if d.state == online {
		s.stats.Lost++
	}
	s.e.doubt()
	s.drop(i)
	now := s.e.now()
	if !s.held(d, now) {
		d.passed++
	}
	d.deadline = now + int64(s.random.Float64()*float64(bound(s.e.o.Backoff, d.fails)))
	d.fails = min(d.fails+1, 64)
	s.time(i)
}

// held ends the count of a session's time. One that was long clears the count of failures.
func (s *shard) held(d *session, now int64) bool {
	long := d.began > 0 && now-d.began >= int64(s.e.o.Backoff.Stable)
	if long {
		d.fails = 0
	}
	d.began = 0
	return long
}

// bound is the longest pause after so many failures.
func bound(b Backoff, fails uint8) time.Duration {
	d := b.Min
	for range fails {
		if d >= b.Max/2 {
			return b.Max
		}
		d *= 2
	}
	return min(d, b.Max)
}

// restart ends a session and begins another one.
func (s *shard) restart(i int32, clean bool) {
	d := &s.sessions[i]
	if clean {
		s.last(i)
		s.goodbye(i)
	}
	s.drop(i)
	now := s.e.now()
	s.held(d, now)
	d.deadline = now + int64(takeover)
	s.time(i)
}

// grant does what a device wants of its session.
func (s *shard) grant(i int32) {
	d := &s.sessions[i]
	w := d.wish
	d.wish = stay
	switch {
	case w == join && d.state == away:
		s.stats.Away--
		s.e.wanted.Add(1)
		d.state = queued
		s.queue.push(i)
	case w == leave && d.state != away:
		s.depart(i)
	case (w == again || w == cut) && d.state >= opening && d.state <= online:
		s.restart(i, w == again)
		return
	}
	s.time(i)
}

// depart ends a device's session, or its attempts at one.
func (s *shard) depart(i int32) {
	d := &s.sessions[i]
	switch d.state {
	case queued:
		s.queue.drop(i)
	case offline:
	default:
		s.last(i)
		s.goodbye(i)
		s.drop(i)
	}
	s.held(d, s.e.now())
	d.state, d.fails = away, 0
	s.stats.Away++
	if s.e.wanted.Add(-1); s.e.online.Load() == s.e.wanted.Load() {
		s.e.complete(s.e.now())
	}
}

// last lets a device say what it has to say before a clean end.
func (s *shard) last(i int32) {
	d := &s.sessions[i]
	if c, ok := d.client.(Leaver); ok && d.state == online {
		c.Last(time.Duration(s.e.now()), s.of(i))
		d.wish = stay // it ends anyway
		s.flush(i)
	}
}

// goodbye keeps the broker from publishing the will. MQTT allows a client to send behind its
// CONNECT at once.
func (s *shard) goodbye(i int32) {
	if d := &s.sessions[i]; d.state >= greeting && d.state <= online {
		_ = s.carrier.send(i, packet.AppendDisconnect(nil)) // an error would be of a connection that is closed next
	}
}

// drop closes a device's connection and forgets what belongs to it.
func (s *shard) drop(i int32) {
	d := &s.sessions[i]
	s.carrier.close(i)
	switch d.state {
	case opening, greeting, subscribing:
		s.opening--
	case online:
		s.stats.Connected--
		s.e.online.Add(-1)
		d.client.Offline(time.Duration(s.e.now()))
	}
	s.stats.Unacked += uint64(len(d.flights))
	s.keep(d, nil)
	d.state, d.flights, d.skip, d.pinged, d.wish = offline, nil, 0, 0, stay
	s.out = s.out[:0]
}

// finish ends all sessions cleanly: those with messages in flight have a second for their
// PUBACKs.
func (s *shard) finish() {
	s.mu.Lock()
	for i := range s.sessions {
		s.last(int32(i))
	}
	s.ending = true
	until := s.e.now() + int64(endsWithin)
	s.mu.Unlock()
	for {
		s.mu.Lock()
		left := false
		force := s.e.now() >= until
		for i := range s.sessions {
			d := &s.sessions[i]
			if d.state == online && len(d.flights) > 0 && !force {
				left = true
				continue
			}
			s.leave(int32(i))
		}
		s.mu.Unlock()
		if !left {
			return
		}
		s.carrier.wait(time.Duration(min(s.e.now()+int64(step), until)))
	}
}

// leave ends a session for good.
func (s *shard) leave(i int32) {
	d := &s.sessions[i]
	if d.state == over {
		return
	}
	if d.state == online {
		s.stats.atEnd++
	}
	s.goodbye(i)
	if d.state != offline && d.state != queued && d.state != away {
		s.drop(i)
	}
	d.state = over
	s.time(i)
}

// reason is an error in few words, the same for all devices: without addresses.
func reason(err error) string {
	var errno syscall.Errno
	var timeout net.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the broker closed the connection"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "time-out"
	}
	return err.Error()
}
