package mqttlink

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/internal/inbox"
)

// What waits for one handler at most.
const (
	inboxMessages = 1024
	inboxBytes    = 8 << 20
)

// subscriptions is what the link's users want to hear. The session makes it so.
type subscriptions struct {
	missed atomic.Uint64 // messages that gave way because a handler was slow

	mu      sync.RWMutex
	subs    []*subscription
	gen     uint64            // rises with every change
	asked   map[string]uint64 // filter → generation of the last Subscribe to it
	refused map[string]bool   // by the broker, in the present or last session
	changed chan struct{}     // has a token after a change
}

// subscription is one call of Subscribe or SubscribeAll.
type subscription struct {
	filters []string
	qos     byte
	inbox   *inbox.Inbox[Message] // nil, if there is
	prompt  Handler
}

func (s *subscription) stop() {
	if s.inbox != nil {
		s.inbox.Stop()
	}
}

func (s *subscription) matches(topic string) bool {
	return slices.ContainsFunc(s.filters, func(f string) bool { return Match(f, topic) })
}

func (s *subscriptions) init() {
	s.asked = make(map[string]uint64)
	s.refused = make(map[string]bool)
	s.changed = make(chan struct{}, 1)
}

// queued returns a subscription whose messages wait for their handler.
func queued(ctx context.Context, filters []string, qos byte, h Handler) *subscription {
	return &subscription{filters: slices.Clone(filters), qos: qos, inbox: inbox.New(ctx, inboxMessages, inboxBytes, size, h)}
}

// add notes a subscription and returns what ends it.
func (s *subscriptions) add(sub *subscription, limits Limits) (cancel func(), err error) {
	filters := sub.filters
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
	s.gen++
	for _, f := range filters {
		s.asked[f] = s.gen
	}
	s.tell()
	return sync.OnceFunc(func() { s.remove(sub) }), nil
}

func size(m Message) int { return len(m.Topic) + len(m.Payload) }

// remove ends a subscription.
func (s *subscriptions) remove(sub *subscription) {
	s.mu.Lock()
	s.subs = slices.DeleteFunc(slices.Clone(s.subs), func(x *subscription) bool { return x == sub })
	for _, f := range sub.filters {
		if !slices.ContainsFunc(s.subs, func(x *subscription) bool { return slices.Contains(x.filters, f) }) {
			delete(s.asked, f)
			delete(s.refused, f)
			s.gen++
			s.tell()
		}
	}
	s.mu.Unlock()
	sub.stop()
}

// tell wakes the session. s.mu is held.
func (s *subscriptions) tell() {
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

// dispatch queues m for every handler whose filter matches, without waiting, and calls
// those that are prompt.
func (s *subscriptions) dispatch(ctx context.Context, quiet *quietLog, m Message) {
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
			s.hand(ctx, quiet, to, own)
		}
		to = sub
	}
	if to != nil {
		s.hand(ctx, quiet, to, m)
	}
}

// hand gives m to one handler.
func (s *subscriptions) hand(ctx context.Context, quiet *quietLog, sub *subscription, m Message) {
	if sub.prompt != nil {
		sub.prompt(ctx, m)
		return
	}
	if n := sub.inbox.Offer(m); n > 0 {
		s.missed.Add(uint64(n))
		filters := strings.Join(sub.filters, ", ")
		quiet.say(slog.LevelWarn, "missed "+filters, "handler too slow: the oldest messages are dropped", "filter", filters, "dropped", s.missed.Load())
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
	return want, s.gen
}

func (s *subscriptions) generation() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.gen
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

// keepSubscriptions makes the broker's subscriptions what is wanted, at the start
// of the session and after every change.
func (s *session) keepSubscriptions() {
	have := make(map[string]wish)
	for {
		want, gen := s.l.subs.wanted()
		if !s.unsubscribe(have, want) || !s.subscribe(have, want) {
			return // the session has ended
		}
		s.settle(gen)
		select {
		case <-s.l.subs.changed:
		case <-s.ended:
			return
		}
	}
}

// subscribe asks for what is wanted and not there, a few filters at a time.
func (s *session) subscribe(have, want map[string]wish) bool {
	missing := make([]string, 0, len(want))
	for f, w := range want {
		if have[f] != w {
			missing = append(missing, f)
		}
	}
	slices.Sort(missing)
	for filters := range slices.Chunk(missing, s.l.o.Limits.filters()) {
		ask := make(map[string]byte, len(filters))
		for _, f := range filters {
			ask[f] = want[f].qos
			have[f] = want[f] // also if it is refused: asking again would not help
		}
		s.setSubscribing(strings.Join(filters, ", "))
		s.wire.codes.Store(int32(len(filters)))
		tok := s.taken(func() mqtt.Token { return s.client.SubscribeMultiple(ask, nil) })
		if !s.answered(tok, "SUBSCRIBE to "+clip(strings.Join(filters, ", "))) {
			return false
		}
		s.wire.codes.Store(0)
		s.setSubscribing("")
		s.granted(tok, filters)
	}
	return true
}

// granted reads the return codes of a SUBACK (MQTT 3.1.1 section 3.9.3).
func (s *session) granted(tok mqtt.Token, filters []string) {
	codes := tok.(*mqtt.SubscribeToken).Result()
	for _, f := range filters {
		code, ok := codes[f]
		refused := !ok || code > 2
		s.l.subs.answer(f, refused)
		if refused {
			err := fault(FilterRefused, nil, "%s refuses the subscription to %s: check the broker's access list or policy for %s", s.about.endpoint, clip(f), quoteID(s.about.clientID))
			s.l.quiet.say(slog.LevelError, "refused "+f, "no subscription", "reason", err.Line, "kind", string(err.Kind))
		}
	}
}

// unsubscribe ends what is no longer wanted.
func (s *session) unsubscribe(have, want map[string]wish) bool {
	var gone []string
	for f := range have {
		if _, ok := want[f]; !ok {
			gone = append(gone, f)
		}
	}
	slices.Sort(gone)
	for filters := range slices.Chunk(gone, s.l.o.Limits.filters()) {
		if !s.answered(s.taken(func() mqtt.Token { return s.client.Unsubscribe(filters...) }), "UNSUBSCRIBE from "+clip(strings.Join(filters, ", "))) {
			return false
		}
		for _, f := range filters {
			delete(have, f)
		}
	}
	return true
}

// answered waits for the broker's answer. Without one in time the session ends.
func (s *session) answered(tok mqtt.Token, what string) bool {
	timer := time.NewTimer(s.l.o.AckTimeout)
	defer timer.Stop()
	select {
	case <-tok.Done():
	case <-s.ended:
		return false
	case <-timer.C:
		s.end(fault(NoAck, nil, "%s did not answer a %s within %s; the connection is opened again: if that does not end, the broker's policy may forbid it",
			s.about.endpoint, what, s.l.o.AckTimeout))
		return false
	}
	if err := tok.Error(); err != nil {
		s.end(fmt.Errorf("%s: %w", what, err))
		return false
	}
	return true
}

func (s *session) setSubscribing(filters string) {
	s.mu.Lock()
	s.subscribing = filters
	s.mu.Unlock()
}

// settle notes that the subscriptions of a generation are in effect.
func (s *session) settle(gen uint64) {
	s.mu.Lock()
	s.settled = gen
	close(s.settling)
	s.settling = make(chan struct{})
	s.mu.Unlock()
}

// stale reports whether the subscriptions are not as they are wanted now.
func (s *session) stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled < s.l.subs.generation()
}

// waitSettled waits until the subscriptions are as they are wanted now. It
// returns false if the session ends first.
func (s *session) waitSettled() bool {
	for {
		s.mu.Lock()
		settled, settling := s.settled, s.settling
		s.mu.Unlock()
		if settled >= s.l.subs.generation() {
			return true
		}
		select {
		case <-settling:
		case <-s.ended:
			return false
		}
	}
}
