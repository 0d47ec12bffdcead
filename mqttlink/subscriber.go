package mqttlink

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/wire"
	"pithings/pulse"
)

// subscriber makes the broker's subscriptions in one session what is wanted.
type subscriber struct {
	*base
	*ending
	wanted *subscriptions
	client mqtt.Client
	conn   *wire.Conn
	turns  *pulse.Loop // of run

	settled atomic.Uint64 // generation of the subscriptions that is in effect

	mu          sync.Mutex
	subscribing string        // filters asked for and not answered
	settling    chan struct{} // closed, and made anew, when settled changes
}

// run makes the broker's subscriptions what is wanted, at the start
// of the session and after every change.
func (s *subscriber) run() {
	s.turns = s.loop("subscriptions")
	defer s.turns.End()
	have := make(map[string]wish)
	for {
		s.turns.Work()
		want, gen := s.wanted.wanted()
		if !s.unsubscribe(have, want) || !s.subscribe(have, want) {
			return // the session has ended
		}
		s.settle(gen)
		s.turns.Wait()
		select {
		case <-s.wanted.changed:
		case <-s.ended:
			return
		}
	}
}

// subscribe asks for what is wanted and not there, a few filters at a time.
func (s *subscriber) subscribe(have, want map[string]wish) bool {
	missing := make([]string, 0, len(want))
	for f, w := range want {
		if have[f] != w {
			missing = append(missing, f)
		}
	}
	slices.Sort(missing)
	for filters := range slices.Chunk(missing, s.o.Limits.filters()) {
		ask := make(map[string]byte, len(filters))
		for _, f := range filters {
			ask[f] = want[f].qos
			have[f] = want[f] // also if it is refused: asking again would not help
		}
		s.setSubscribing(strings.Join(filters, ", "))
		s.conn.ExpectCodes(len(filters))
		tok := s.taken(func() mqtt.Token { return s.client.SubscribeMultiple(ask, nil) })
		if !s.answered(tok, "SUBSCRIBE to "+short(strings.Join(filters, ", "))) {
			return false
		}
		s.conn.ExpectCodes(0)
		s.setSubscribing("")
		s.granted(tok, filters)
	}
	return true
}

// granted reads the return codes of a SUBACK (MQTT 3.1.1 section 3.9.3).
func (s *subscriber) granted(tok mqtt.Token, filters []string) {
	codes := tok.(*mqtt.SubscribeToken).Result()
	var all []string
	for _, f := range filters {
		code, ok := codes[f]
		refused := !ok || code > 2
		s.wanted.answer(f, refused)
		if refused {
			all = append(all, f)
			err := fault(FilterRefused, nil, "%s refuses the subscription to %s: check the broker's access list or policy for %s", s.endpoint, short(f), quoteID(s.o.ClientID))
			s.quiet.Say(slog.LevelError, "refused "+f, "no subscription", "err", err.Line, "kind", string(err.Kind))
		}
	}
	if s.o.OnSuback != nil {
		s.o.OnSuback(filters, all)
	}
}

// unsubscribe ends what is no longer wanted.
func (s *subscriber) unsubscribe(have, want map[string]wish) bool {
	var gone []string
	for f := range have {
		if _, ok := want[f]; !ok {
			gone = append(gone, f)
		}
	}
	slices.Sort(gone)
	for filters := range slices.Chunk(gone, s.o.Limits.filters()) {
		if !s.answered(s.taken(func() mqtt.Token { return s.client.Unsubscribe(filters...) }), "UNSUBSCRIBE from "+short(strings.Join(filters, ", "))) {
			return false
		}
		for _, f := range filters {
			delete(have, f)
		}
	}
	return true
}

// answered waits for the broker's answer. Without one in time the session ends.
func (s *subscriber) answered(tok mqtt.Token, what string) bool {
	timer := time.NewTimer(s.o.AckTimeout)
	defer timer.Stop()
	s.turns.Wait() // for Options.AckTimeout
	defer s.turns.Work()
	select {
	case <-tok.Done():
	case <-s.ended:
		return false
	case <-timer.C:
		s.end(fault(NoAck, nil, "%s did not answer a %s within %s; the connection is opened again: if that does not end, the broker's policy may forbid it",
			s.endpoint, what, s.o.AckTimeout))
		return false
	}
	if err := tok.Error(); err != nil {
		s.end(fmt.Errorf("%s: %w", what, err))
		return false
	}
	return true
}

func (s *subscriber) setSubscribing(filters string) {
	s.mu.Lock()
	s.subscribing = filters
	s.mu.Unlock()
}

// settle notes that the subscriptions of a generation are in effect.
func (s *subscriber) settle(gen uint64) {
	s.mu.Lock()
	s.settled.Store(gen)
	close(s.settling)
	s.settling = make(chan struct{})
	s.mu.Unlock()
}

// waitSettled waits until the subscriptions are as they are wanted now. It
// returns false if the session ends first.
func (s *subscriber) waitSettled() bool {
	for {
		s.mu.Lock()
		settling := s.settling // before it is looked: what settles later closes this one
		s.mu.Unlock()
		if s.settled.Load() >= s.wanted.gen.Load() {
			return true
		}
		select {
		case <-settling:
		case <-s.ended:
			return false
		}
	}
}

// pendingFilters returns the filters that were asked for and not answered, or "".
func (s *subscriber) pendingFilters() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscribing
}

// handOver is how long the library may keep us waiting to take a packet over. It
// does so while it writes another, and also when the connection has just been lost
// and it will never take one again, which it does not report.
const handOver = 500 * time.Millisecond

// taken calls a method of the library until it has taken the packet over, or the
// session has ended.
func (s *subscriber) taken(call func() mqtt.Token) mqtt.Token {
	for {
		tok := call()
		if !notTaken(tok) {
			return tok
		}
		if s.over() {
			return tok
		}
	}
}

// notTaken reports whether the library has not taken a packet over.
func notTaken(tok mqtt.Token) bool {
	return done(tok) && tok.Error() != nil && strings.HasSuffix(tok.Error().Error(), "was broken by timeout")
}

func done(tok mqtt.Token) bool {
	select {
	case <-tok.Done():
		return true
	default:
		return false
	}
}
