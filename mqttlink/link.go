package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/outbox"
)

// State is what a link is doing.
type State int32

// The states of a link.
const (
	Offline    State = iota // before Run, or waiting for the next attempt
	Connecting              // attempting
	Online                  // connected
	Ended                   // Run has returned
)

// String returns the state in lower case.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

var stateNames = [...]string{"offline", "connecting", "online", "ended"}

// Errors of Publish and Subscribe, beside LimitError and what wraps ErrTopic or ErrQoS.
var (
	// ErrFull says that the outbox is at its limit: the message was not taken.
	ErrFull = outbox.ErrFull
	// ErrHeld says that the message was taken, but is in memory only until the disk
	// can be written again.
	ErrHeld = outbox.ErrHeld
	// ErrOffline says that there is no connection and that the options allow no
	// queueing: the message was not taken.
	ErrOffline = errors.New("no connection to the broker, and queueing is switched off (at most 0 messages): publish again later, or allow a queue")
	// ErrUndated says that this machine's clock is not known to be right, so that the
	// message would have to wait, and that the options allow no queueing: the message
	// was not taken.
	ErrUndated = errors.New("this machine's clock is not known to be right, and queueing is switched off (at most 0 messages): publish again later, allow a queue, or trust the clock (clock: trust)")
	// ErrEnded says that Run has returned.
	ErrEnded = errors.New("the link has ended")
)

// Link is a durable connection. It implements Client; its methods may be called
// from several goroutines at once, before and while Run runs.
type Link struct {
	o        Options
	endpoint Endpoint
	box      outbox.Box
	quiet    *quietLog
	subs     subscriptions
	lives    lives
	throttle throttle // the sender's; sessions never overlap

	running atomic.Bool
	ctx     context.Context // the life of the handlers; ends with Run
	cancel  context.CancelFunc

	state    atomic.Int32
	waiting  atomic.Bool                // for the clock
	local    atomic.Pointer[netip.Addr] // our address in the last connection
	kick     chan struct{}              // something was appended
	now      atomic.Pointer[session]    // the one that runs
	flushing atomic.Int32               // how many wait for the outbox to be empty

	// What one session leaves to the next; sessions never overlap.
	handed uint64 // highest QoS 0 record that was given to the network
	sent   uint64 // highest record sent at all

	stranded map[uint64]bool // records that earlier sessions sent without an answer; the sender's, and of the session's end
	unacked  int             // sessions in a row that ended without any acknowledgement
	untold   bool            // the log's last word is that there is no connection
	trial    trial           // why sessions end
	fresh    bool            // what stood in the way is gone: the back-off starts anew

	takenOver bool // the log has told that another client uses the id, and not that it has ended

	publishing sync.RWMutex // held to write when Run ends: no Publish slips in after the last look
	ended      bool

	mu      sync.Mutex
	emptied chan struct{} // closed, and made anew, when an acknowledgement empties the outbox
	stats   Stats
	looked  time.Time // whether messages gave way

	offending  atomic.Int32         // number of offenders, to be read without the lock
	offenders  map[string]*offender // by topic
	asides     []Aside
	asideBytes int
}

// New checks the options without using the network and returns a link that
// does nothing yet. Its errors are Faults.
func New(o Options) (*Link, error) {
	o.Limits.MaxFilters = o.Limits.filters()
	e, err := o.check()
	if err != nil {
		return nil, err
	}
	l := &Link{
		o: o, endpoint: e, box: o.Outbox, quiet: newQuietLog(o.Log),
		kick: make(chan struct{}, 1), emptied: make(chan struct{}), untold: true, throttle: newThrottle(o.Limits), offenders: make(map[string]*offender), stranded: map[uint64]bool{},
	}
	l.subs.init()
	if l.box == nil {
		l.box = outbox.NewMemory(outbox.Limits{Messages: max(o.MaxQueued, 0), Drop: o.Drop})
	}
	if b, ok := l.box.(handedBox); ok {
		l.handed = b.Handed()
	}
	l.lives.clock = o.Clock
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.stats.Since = time.Now()
	return l, nil
}

// Endpoint returns where the link goes.
func (l *Link) Endpoint() Endpoint { return l.endpoint }

// ClientID returns the client id, which New may have made up.
func (l *Link) ClientID() string { return l.o.ClientID }

// noteDropped says that messages gave way in the outbox: to others, or because of
// their age.
func (l *Link) noteDropped() {
	now := l.box.Stats().Dropped
	var before uint64
	l.count(func(s *Stats) {
		now -= min(now, s.Full) // which Publish has told of
		before, s.Dropped = s.Dropped, max(s.Dropped, now)
	})
	if now > before {
		l.quiet.say(slog.LevelWarn, "dropped", "the outbox gives the oldest messages up: its limit by number, bytes or age is reached", "dropped", now)
	}
}

// Subscribe implements Client.
func (l *Link) Subscribe(filter string, qos byte, h Handler) (cancel func(), err error) {
	return l.SubscribeAll([]string{filter}, qos, h)
}

// SubscribeAll implements Client.
func (l *Link) SubscribeAll(filters []string, qos byte, h Handler) (cancel func(), err error) {
	if err := l.maySubscribe(filters, qos, h); err != nil {
		return nil, err
	}
	return l.subs.add(queued(l.ctx, filters, qos, l.contain(h)), l.o.Limits)
}

// SubscribePrompt implements Prompt.
func (l *Link) SubscribePrompt(filter string, qos byte, h Handler) (cancel func(), err error) {
	filters := []string{filter}
	if err := l.maySubscribe(filters, qos, h); err != nil {
		return nil, err
	}
	return l.subs.add(&subscription{filters: filters, qos: qos, prompt: l.contain(h)}, l.o.Limits)
}

func (l *Link) maySubscribe(filters []string, qos byte, h Handler) error {
	for _, f := range filters {
		if err := l.o.Limits.checkFilter(f, qos); err != nil {
			return err
		}
	}
	if h == nil {
		return fmt.Errorf("subscribe to %s: the handler is missing", strings.Join(filters, ", "))
	}
	if l.ctx.Err() != nil {
		return ErrEnded
	}
	return nil
}

// contain keeps a panic in a handler from taking the whole process along: it is
// told, and the next message is handled.
func (l *Link) contain(h Handler) Handler {
	return func(ctx context.Context, m Message) {
		defer func() {
			if p := recover(); p != nil {
				l.o.Log.Error("internal error in the handler of a message; please report it", "topic", clip(m.Topic), "panic", p, "stack", string(debug.Stack()))
			}
		}()
		h(ctx, m)
	}
}

// Connected reports whether a session with the broker is established.
func (l *Link) Connected() bool { return l.State() == Online }

// State returns what the link is doing.
func (l *Link) State() State { return State(l.state.Load()) }

// Queued returns the number of messages in the outbox.
func (l *Link) Queued() int { return l.box.Len() }

// LocalAddr returns this machine's address in the present or last connection:
// where others near the broker can be expected to reach it. Before the first
// connection it asks the kernel's routes, if the broker is given by address;
// otherwise the result is not valid (IsValid).
func (l *Link) LocalAddr() netip.Addr {
	if a := l.local.Load(); a != nil {
		return *a
	}
	if _, err := netip.ParseAddr(l.endpoint.Host); err != nil {
		return netip.Addr{}
	}
	c, err := net.Dial("udp", l.endpoint.Addr()) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return addrOf(c.LocalAddr())
}

func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// Flush waits until the outbox is empty.
func (l *Link) Flush(ctx context.Context) error {
	l.flushing.Add(1)
	defer l.flushing.Add(-1)
	if s := l.now.Load(); s != nil {
		s.note() // what has landed and was not noted yet
	}
	for {
		l.mu.Lock()
		emptied := l.emptied
		l.mu.Unlock()
		n := l.box.Len()
		if n == 0 {
			return nil
		}
		select {
		case <-emptied:
		case <-ctx.Done():
			return fmt.Errorf("%d messages are not delivered yet: %w", n, ctx.Err())
		case <-l.ctx.Done():
			if n := l.box.Len(); n > 0 {
				return fmt.Errorf("%d messages are not delivered: %w", n, ErrEnded)
			}
			return nil
		}
	}
}

// ackTimeout is how long to wait for an acknowledgement. After a session that
// ended without a single one it is longer, up to sixteen times: a link so slow
// that one message takes longer than the time-out must not repeat it for ever.
func (l *Link) ackTimeout() time.Duration { return l.o.AckTimeout << l.unacked }

// noteTimeouts follows the sessions that ended for want of acknowledgement.
func (l *Link) noteTimeouts(err error, acks int) {
	var f *Fault
	switch {
	case acks > 0:
		l.unacked = 0
	case errors.As(err, &f) && f.Kind == NoAck:
		l.unacked = min(l.unacked+1, 4)
	}
}

// Run keeps the connection until ctx ends. It then gives the outbox
// Options.FlushTimeout to empty, if there is a connection, says goodbye to the
// broker (so that the will is not published), waits for the handlers that are
// running, and returns nil. A link runs once.
func (l *Link) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		return errors.New("the link is running already, or has ended")
	}
	for failed := 0; ctx.Err() == nil; failed++ {
		if !l.awaitPlausible(ctx) {
			break
		}
		began, clockChanged := time.Now(), l.o.Clock.Changed()
		lived, err := l.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		l.report(err)
		l.setState(Offline)
		if lived >= l.o.Backoff.Stable || l.fresh {
			failed, l.fresh = 0, false
		}
		least := began.Add(l.o.Limits.ConnectEvery)
		wait := max(l.o.Backoff.wait(failed), l.trial.pause(), time.Until(least))
		l.o.Log.Debug("next attempt", "endpoint", l.endpoint.String(), "in", wait.Round(time.Millisecond))
		select {
		case <-time.After(wait):
		case <-clockMayHelp(err, clockChanged):
			l.pauseUntil(ctx, least)
		case <-ctx.Done():
		}
	}
	l.end()
	return nil
}

// pauseUntil waits until t, or ctx ends.
func (l *Link) pauseUntil(ctx context.Context, t time.Time) {
	select {
	case <-time.After(time.Until(t)):
	case <-ctx.Done():
	}
}

// attempt connects and, if that succeeds, keeps the session until it ends. It
// returns how long the session held and why it ended.
func (l *Link) attempt(ctx context.Context) (lived time.Duration, err error) {
	l.setState(Connecting)
	l.count(func(s *Stats) { s.Attempts++ })
	s, err := l.connect(ctx)
	if err != nil {
		l.trial.away(err)
		return 0, err
	}
	began := time.Now()
	l.count(func(st *Stats) { st.Connects++; st.LastError = "" })
	l.setState(Online)
	// As often as the losses are told, so that the last line is never the wrong one.
	level := slog.LevelDebug
	if l.untold && !l.takenOver {
		level, l.untold = slog.LevelInfo, false
	}
	l.o.Log.Log(ctx, level, "connected", "endpoint", l.endpoint.String(), "client_id", l.o.ClientID, "queued", l.box.Len())
	err = s.run(ctx)
	return time.Since(began), err
}

// report logs and keeps why a session ended or could not begin.
func (l *Link) report(err error) {
	line := Explain(err)
	l.count(func(s *Stats) { s.LastError = line })
	kind := kindOf(err)
	if kind == TakenOver {
		l.noteTakenOver(line)
		return
	}
	if l.quiet.say(slog.LevelWarn, string(kind)+steady(line), "no connection", "reason", line, "kind", string(kind), "queued", l.box.Len()) {
		l.untold = true
	}
}

// steady removes digits, so that lines which differ in a time only are the same
// to the log.
func steady(line string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, line)
}

// end refuses further messages, stops the handlers and waits for them.
func (l *Link) end() {
	l.close()
	l.cancel()
	l.subs.stop()
	l.setState(Ended)
	switch n := l.box.Len(); {
	case n == 0:
	case l.o.Outbox != nil: // whose business it is how long it keeps them
		l.o.Log.Info("messages stay in the outbox until there is a connection again", "messages", n)
	default:
		l.o.Log.Warn("messages were not delivered and are lost", "messages", n)
	}
}

// close makes Publish refuse from now on.
func (l *Link) close() {
	l.publishing.Lock()
	l.ended = true
	l.publishing.Unlock()
}

func (l *Link) setState(s State) {
	if State(l.state.Swap(int32(s))) == s {
		return
	}
	l.count(func(st *Stats) { st.Since = time.Now() })
	if l.o.OnState != nil {
		l.o.OnState(s)
	}
}

var _ interface {
	Client
	Prompt
} = (*Link)(nil)
