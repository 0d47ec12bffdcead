package mqttlink

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/internal/inbox"
	"pithings/mqttlink/topic"
	"pithings/mqttlink/wire"
	"pithings/pulse"
	"pithings/quietlog"
)

// What waits for one handler at most.
const (
	inboxMessages = 1024
	inboxBytes    = 8 << 20
)

// subscriptions are what the link's users have subscribed to. The session's subscriber makes
// the broker's subscriptions the same.
type subscriptions struct {
	*base
	ctx    context.Context // of the handlers
	gen    atomic.Uint64   // rises with every change, under mu
	missed atomic.Uint64   // messages that were dropped because a handler was slow

	mu      sync.RWMutex
	subs    []*subscription
	asked   map[string]uint64 // filter → generation of the last Subscribe to it
	refused map[string]bool   // by the broker, in the present or last session
	changed chan struct{}     // has a token after a change
}

// subscription is one call of Subscribe or SubscribeAll.
type subscription struct {
	filters []string
	qos     byte
	inbox   *inbox.Inbox[Message] // nil, if inline is not
	inline  Handler
	turns   *pulse.Loop // of the handler
}

func (s *subscription) stop() {
	defer s.turns.End()
	if s.inbox != nil {
		s.inbox.Stop()
	}
}

func (s *subscription) matches(name string) bool {
	return slices.ContainsFunc(s.filters, func(f string) bool { return topic.Match(f, name) })
}

func newSubscriptions(ctx context.Context, b *base) *subscriptions {
	return &subscriptions{base: b, ctx: ctx, asked: map[string]uint64{}, refused: map[string]bool{}, changed: make(chan struct{}, 1)}
}

// subscribe adds a subscription and returns what ends it. The handler is called inline, or
// its messages wait for it in an inbox.
func (s *subscriptions) subscribe(filters []string, qos byte, h Handler, inline bool) (cancel func(), err error) {
	for _, f := range filters {
		if err := s.o.Limits.checkFilter(f, qos); err != nil {
			return nil, err
		}
	}
	if h == nil {
		return nil, fmt.Errorf("subscribe to %s: the handler is missing", strings.Join(filters, ", "))
	}
	if s.ctx.Err() != nil {
		return nil, ErrEnded
	}
	sub := &subscription{filters: slices.Clone(filters), qos: qos, turns: s.loop("handler of " + short(strings.Join(filters, ", ")))}
	if h = s.contain(h, sub.turns); inline {
		sub.inline = h
	} else {
		sub.inbox = inbox.New(sub.turns.In(s.ctx), inboxMessages, inboxBytes, size, h)
	}
	return s.add(sub)
}

// checkFilter says why filter cannot be subscribed to, or returns nil.
func (l Limits) checkFilter(filter string, qos byte) error {
	if err := topic.CheckFilter(filter); err != nil {
		return err
	}
	if qos > 1 {
		return fmt.Errorf("subscribe to %s with QoS %d: %w", filter, qos, ErrQoS)
	}
	if err := l.checkTopic("filter", filter); err != nil {
		return err
	}
	if l.Rules != nil {
		return l.Rules.CheckFilter(filter)
	}
	return nil
}

// contain keeps a panic in a handler from ending the whole process: it is logged, and the
// next message is handled.
func (s *subscriptions) contain(h Handler, turns *pulse.Loop) Handler {
	return func(ctx context.Context, m Message) {
		turns.Work()
		defer turns.Wait()
		defer func() {
			if p := recover(); p != nil {
				s.o.Log.Error("internal error in the handler of a message; please report it", "topic", short(m.Topic), "panic", p, "stack", string(debug.Stack()))
			}
		}()
		h(ctx, m)
	}
}

// add notes a subscription and returns what ends it.
func (s *subscriptions) add(sub *subscription) (cancel func(), err error) {
	filters, limits := sub.filters, &s.o.Limits
	s.mu.Lock()
	defer s.mu.Unlock()
	want := len(s.asked)
	for _, f := range filters {
		if _, known := s.asked[f]; !known {
			want++
		}
	}
	if limits.MaxSubscriptions > 0 && want > max(limits.MaxSubscriptions, len(s.asked)) {
		sub.stop()
		return nil, limits.exceeded("subscription to "+strings.Join(filters, ", "), "filters", want, limits.MaxSubscriptions)
	}
	s.subs = append(slices.Clip(s.subs), sub)
	gen := s.gen.Add(1)
	for _, f := range filters {
		s.asked[f] = gen
	}
	s.notify()
	return sync.OnceFunc(func() { s.remove(sub) }), nil
}

// remove ends a subscription.
func (s *subscriptions) remove(sub *subscription) {
	s.mu.Lock()
	s.subs = slices.DeleteFunc(slices.Clone(s.subs), func(x *subscription) bool { return x == sub })
	for _, f := range sub.filters {
		if !slices.ContainsFunc(s.subs, func(x *subscription) bool { return slices.Contains(x.filters, f) }) {
			delete(s.asked, f)
			delete(s.refused, f)
			s.gen.Add(1)
			s.notify()
		}
	}
	s.mu.Unlock()
	sub.stop()
}

// notify wakes the session. s.mu is held.
func (s *subscriptions) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// stop ends all subscriptions and waits for their handlers.
func (s *subscriptions) stop() {
	s.mu.Lock()
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	for _, sub := range subs {
		sub.stop()
	}
}

// receive hands a message to those that want it. It is called by the goroutine that reads
// from the network, and never waits.
func (s *subscriptions) receive(m wire.Message) {
	s.counts.add(func(st *Stats) { st.Received++ })
	got := Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Dup: m.Dup, PacketID: m.ID}
	s.passes(true, &got)
	s.dispatch(got)
}

// receiveOther does the same with messages that come through the library.
func (s *subscriptions) receiveOther(_ mqtt.Client, m mqtt.Message) {
	s.receive(wire.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retain: m.Retained(), Dup: m.Duplicate()})
}

// tooLarge logs a message that was not handed on.
func (s *subscriptions) tooLarge(topic string, n int) {
	s.counts.add(func(st *Stats) { st.TooLarge++ })
	topic = quietlog.OneLine(short(topic))
	s.quiet.Say(slog.LevelWarn, "too large "+topic, "message dropped: it is too large", "topic", topic, "bytes", n, "limit", s.o.MaxInbound)
}

// dispatch queues m for every handler whose filter matches, without waiting, and calls
// those that are inline.
func (s *subscriptions) dispatch(m Message) {
	s.mu.RLock()
	subs := s.subs // replaced, never changed
	s.mu.RUnlock()
	var to *subscription
	for _, sub := range subs {
		if !sub.matches(m.Topic) {
			continue
		}
		if to != nil { // the message belongs to the handler: each gets its own, the last one m
			own := m
			own.Payload = slices.Clone(m.Payload)
			s.hand(to, own)
		}
		to = sub
	}
	if to != nil {
		s.hand(to, m)
	}
}

// hand gives m to one handler.
func (s *subscriptions) hand(sub *subscription, m Message) {
	if sub.inline != nil {
		sub.inline(s.ctx, m)
		return
	}
	if n := sub.inbox.Offer(m); n > 0 {
		s.missed.Add(uint64(n))
		filters := strings.Join(sub.filters, ", ")
		s.quiet.Say(slog.LevelWarn, "missed "+filters, "handler too slow: the oldest messages are dropped", "filter", filters, "n", s.missed.Load())
	}
}

// wish is what is wanted for one filter.
type wish struct {
	qos byte
	gen uint64 // of the last Subscribe: a new one needs a new SUBSCRIBE, for the retained messages
}

// wanted returns the filters to be subscribed to, and the generation.
func (s *subscriptions) wanted() (map[string]wish, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	want := make(map[string]wish, len(s.asked))
	for _, sub := range s.subs {
		for _, f := range sub.filters {
			want[f] = wish{qos: max(sub.qos, want[f].qos), gen: s.asked[f]}
		}
	}
	return want, s.gen.Load()
}

// answer notes whether the broker took a filter.
func (s *subscriptions) answer(filter string, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused && s.asked[filter] != 0 {
		s.refused[filter] = true
	} else {
		delete(s.refused, filter)
	}
}

// refusals returns the filters that the broker refuses, sorted.
func (s *subscriptions) refusals() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.refused))
}
