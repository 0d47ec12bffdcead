package mqttlink

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/internal/blame"
	"pithings/mqttlink/internal/pace"
	"pithings/quietlog"
)

// Link is a durable connection. It implements Client; its methods may be called from several
// goroutines at once, before and while Run runs.
type Link struct {
	parts
	journal journal

	running atomic.Bool
	ctx     context.Context // of the handlers; ends with Run
	cancel  context.CancelFunc

	state   atomic.Int32
	local   atomic.Pointer[netip.Addr] // our address in the last connection
	current atomic.Pointer[sender]     // of the session that runs

	beginning sync.Mutex
	began     chan struct{} // closed, and made anew, when a session has a sender

	publishing sync.RWMutex // held to write when Run ends: no Publish slips in after the last look
	closed     bool
	passing    sync.WaitGroup // what is being published past the outbox; no more once the link is closed
}

// New checks the options without using the network and returns a link that does nothing yet.
// Its errors are Faults.
func New(o Options) (*Link, error) {
	o.Limits.MaxFilters = o.Limits.filters()
	e, err := o.check()
	if err != nil {
		return nil, err
	}
	b := &base{o: o, endpoint: e, quiet: quietlog.NewRepeats(o.Log)}
	b.counts.s.Since = time.Now()
	l := &Link{began: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	q := newQueue(b)
	l.parts = parts{base: b, queue: q, subs: newSubscriptions(l.ctx, b), suspects: newSuspects(b), carry: &carry{
		handed: q.box.Handed(), stranded: map[uint64]bool{}, rates: pace.NewRates(o.Limits.Rate, o.Limits.ByteRate),
		states: states{box: q.box, liveFirst: o.LiveFirst, history: o.HistoryTopic},
	}}
	l.journal = journal{base: b, queue: q, unsaid: true}
	return l, nil
}

// Endpoint returns where the link goes.
func (l *Link) Endpoint() endpoint.Endpoint { return l.endpoint }

// ClientID returns the client id, which New may have made up.
func (l *Link) ClientID() string { return l.o.ClientID }

// Presence returns where the connection reports whether it is there, if it does: by
// Options.Status, or by a will and a birth message that are retained on one topic.
func (l *Link) Presence() (p Presence, ok bool) { return l.o.presence() }

// Subscribe implements Client.
func (l *Link) Subscribe(filter string, qos byte, h Handler) (cancel func(), err error) {
	return l.subs.subscribe([]string{filter}, qos, l.unlessHeld(h), false)
}

// SubscribeAll implements Client.
func (l *Link) SubscribeAll(filters []string, qos byte, h Handler) (cancel func(), err error) {
	return l.subs.subscribe(filters, qos, l.unlessHeld(h), false)
}

// SubscribeInline implements Inline.
func (l *Link) SubscribeInline(filter string, qos byte, h Handler) (cancel func(), err error) {
	return l.subs.subscribe([]string{filter}, qos, l.unlessHeld(h), true)
}

// Connected reports whether a session with the broker is established.
func (l *Link) Connected() bool { return l.State() == Online }

// State returns what the link is doing.
func (l *Link) State() State { return State(l.state.Load()) }

// Queued returns the number of messages in the outbox.
func (l *Link) Queued() int { return l.queue.box.Len() }

// DeadLetters returns those that Options.KeepDeadLetter has not taken: the last hundred,
// 1 MiB together.
func (l *Link) DeadLetters() []DeadLetter { return l.queue.dead.all() }

// Stats returns the counts.
func (l *Link) Stats() Stats {
	s, b := l.counts.get(), l.queue.box.Stats()
	s.State, s.Queued, s.Dropped, s.Outbox = l.State(), b.Messages, b.Dropped, b
	l.suspects.with(func(state *blame.State) { s.Excluded = state.AllExcluded(time.Now()) })
	if l.queue.waiting.Load() {
		s.Waiting = b.Messages
	}
	s.Held = l.holding.Load()
	s.Missed, s.Refusals = l.subs.missed.Load(), l.subs.refusals()
	return s
}

// Tap has call called with each message that the broker sends (in), and with each one of ours that is
// safe in the outbox or has been given to the network; nil ends that. Those of the link itself, such
// as its birth message, are not among them. call returns at once, changes nothing and keeps nothing
// of the message. A call may still come when Tap has returned.
func (l *Link) Tap(call func(in bool, m *Message)) {
	if call == nil {
		l.tap.Store(nil)
		return
	}
	l.tap.Store(&call)
}

// LocalAddr returns this machine's address in the present or last connection: where others
// near the broker can be expected to reach it. Before the first connection it asks the
// kernel's routes, if the broker is given by address; otherwise the result is not valid
// (IsValid).
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

// Flush waits until the outbox is empty.
func (l *Link) Flush(ctx context.Context) error {
	l.queue.flushing.Add(1)
	defer l.queue.flushing.Add(-1)
	if s := l.current.Load(); s != nil {
		s.out.note() // what has been acknowledged and not noted yet
	}
	return l.queue.flush(ctx, l.ctx.Done())
}

var _ interface {
	Client
	Inline
} = (*Link)(nil)
