package blame

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func zero(time.Duration) time.Duration { return 0 }

// story plays sessions and returns what is found at the end of each. In a story
//
//	(  a session begins         )  the broker closes the connection
//	a  message a, QoS 1         a! the same, and it is acknowledged
//	A  message A, QoS 0         |  the connection is lost without the broker's doing
//	~  6 s pass                 =  a minute passes
//
// The sender obeys: it leaves the session quiet when asked to, and sends nothing behind a
// message whose proof it waits for.
type story struct {
	s       State
	now     time.Time
	began   time.Time
	sent    uint64 // highest
	unacked []Message
	blocked bool // waits for a proof
	found   []string
	quiet   []time.Duration
	rested  int      // messages that were sent while the state was at rest
	unrest  []string // those that had been wrong to pass by the state
}

// asked notes that m was sent, and acknowledged, if it was. A state at rest must stay as it is.
func (p *story) asked(m Message, acked bool) Proof {
	rest, calm := p.s.AtRest() && m.QoS > 0, p.s.Calm(m.Topic)
	look := func() string {
		s := p.s
		s.o.Random = nil
		return fmt.Sprintf("%#v, %d topics", s, len(s.topics))
	}
	before := look()
	proof := p.s.Sent(m)
	if acked && m.QoS > 0 && !proof.Ack {
		p.s.Delivered(m.Topic)
	}
	if !rest {
		return proof
	}
	if p.rested++; !calm || proof != (Proof{}) || look() != before {
		p.unrest = append(p.unrest, m.Topic)
	}
	return proof
}

func (p *story) play(events string) {
	for i, e := range events {
		switch {
		case e == '(':
			p.began, p.unacked, p.blocked = p.now, nil, false
			p.s.Begin(p.now, p.sent)
		case e == ')':
			p.now = p.now.Add(100 * time.Millisecond)
			p.found = append(p.found, p.end())
		case e == '|', e == '!', e == ' ':
		case e == '~':
			p.now = p.now.Add(6 * time.Second)
		case e == '=':
			p.now = p.now.Add(time.Minute)
		default:
			p.send(string(e), strings.HasPrefix(events[i+1:], "!"))
		}
	}
}

func (p *story) send(topic string, acked bool) {
	if p.blocked || p.s.Excluded(topic, p.now) {
		return
	}
	m := Message{Topic: topic, Bytes: 10, Seq: uint64(topic[0]), QoS: 1}
	if strings.ToUpper(topic) == topic {
		m.QoS = 0
	}
	quiet := p.s.Before(p.now, m)
	p.quiet = append(p.quiet, quiet)
	p.now = p.now.Add(quiet)
	m.Sent = p.now
	p.sent = max(p.sent, m.Seq)
	proof := p.asked(m, acked)
	if m.QoS > 0 && !acked {
		p.unacked = append(p.unacked, m)
	}
	switch {
	case proof.Ack && !acked, proof.Quiet > 0 && !acked:
		p.blocked = true
	case proof.Ack:
		p.s.Proved(m)
	case proof.Quiet > 0: // A! is a message with QoS 0 after which the session lasts
		p.now = p.now.Add(proof.Quiet)
		p.s.Proved(m)
	}
	if acked && m.QoS > 0 {
		p.s.Delivered(topic)
	}
}

func (p *story) end() string {
	e := End{At: p.now, Lived: p.now.Sub(p.began)}
	if len(p.unacked) > 0 {
		e.Unacked = &p.unacked[0]
	}
	v := p.s.Ended(e)
	switch v.Cause {
	case Suspected:
		return fmt.Sprintf("%s%d", v.Topic, v.Strikes)
	case Poison:
		if v.Message != (strings.ToLower(v.Topic) == v.Topic) {
			return "poison of the wrong QoS"
		}
		return "poison " + v.Topic
	case OtherClient:
		return "client"
	}
	return "-"
}

func TestStories(t *testing.T) {
	rested := 0
	for _, tt := range []struct {
		name, events, want string
		after              int // 0: 3
	}{
		{"one message three times", "(abc) (abc) (abc)", "a1 a2 poison a", 0},
		{"the ones before it are acknowledged", "(a!bc) (bc) (b)", "b1 b2 poison b", 0},
		{"another message in between", "(ab) (ab) (a!b) (b) (b)", "a1 a2 b1 b2 poison b", 0},
		{"it is acknowledged in the third session", "(ab) (ab) (a!b!| (a) (a)", "a1 a2 a1 a2", 0},
		{"a loss that is not the broker's shows nothing", "(a| (a| (a| (a)", "a1", 0},
		{"long before the end", "(a~) (a~) (a~) (a~)", "- - - -", 0},
		{"after ten", "(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)", "a1 a2 a3 a4 a5 a6 a7 a8 a9 poison a", 10},
		{"never", "(a)(a)(a)(a)(a)(a)", "a1 a2 a3 a4 a5 a6", -1},
		{"QoS 0 takes more strikes", "(A)(A)(A)(A)(A)", "A1 A2 A3 A4 poison A", 0},
		{"QoS 0, and the session lasts", "(A)(A)(A!~)(A)", "A1 A2 - A1", 0},
		{"QoS 0 long before the end: not the topic", "(A~)(A~)(A~)(A~)(A~)", "- - - - client", 0},
		{"QoS 0 and QoS 1: either", "(Aa)(Aa)(aA)", "a1 a2 poison a", 0},
		{"another client", "()()()()()()", "- - - - client client", 0},
		{"another client while messages are acknowledged", "(a!)(b!)(c!)(d!)(e!)", "- - - - client", 0},
		{"sessions that hold are not another client's", "()()()()(=)()", "- - - - - -", 0},
		{"another client is recognised, and a minute is still its doing", "()()()()()(=)", "- - - - client client", 0},
		{"a message is poison, not another client", "(a)(a)(a)()()()()", "a1 a2 poison a - - - -", 0},
		{"a careful session that ends without a message has another cause", "(a)(a)()(a)(a)", "a1 a2 - a1 a2", 0},
		{"a stable session clears all", "(a)(a)(=a)(a)", "a1 a2 a1 a2", 0},
		{"the next one to the topic needs one strike", "(a)(a)(a) (a)", "a1 a2 poison a poison a", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := story{now: time.Unix(1e9, 0)}
			p.s = New(Options{After: cmpOr(tt.after, 3), Stable: 20 * time.Second, Random: zero})
			p.play(tt.events)
			if got := strings.Join(p.found, " "); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.events, got, tt.want)
			}
			if rested += p.rested; len(p.unrest) > 0 {
				t.Errorf("the state was not at rest for %v", p.unrest)
			}
		})
	}
	if rested == 0 {
		t.Error("it was never at rest")
	}
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// The quiet times of three sessions in a row differ by more than a reaction, so that no
// client that takes over at a fixed time looks like the message.
func TestQuietTimes(t *testing.T) {
	p := story{now: time.Unix(1e9, 0), s: New(Options{After: 3, Stable: 20 * time.Second, Random: zero})}
	p.play("(A)(A)(A)(A)(A)")
	var quiet []time.Duration
	for _, q := range p.quiet {
		if q > 0 {
			quiet = append(quiet, q)
		}
	}
	if len(quiet) != 3 {
		t.Fatalf("quiet times %v, want three", p.quiet)
	}
	slices.Sort(quiet)
	for i, q := range quiet {
		if q < probation || q > 5*probation || i > 0 && q-quiet[i-1] <= reaction {
			t.Errorf("quiet times %v", quiet)
		}
	}
}

// After three dead letters in a row a topic is excluded, for ten minutes; then one message
// is tried, and if that is delivered the topic is cleared.
func TestExcludedTopics(t *testing.T) {
	p := story{now: time.Unix(1e9, 0), s: New(Options{After: 3, Stable: 20 * time.Second, Random: zero})}
	p.play("(a)(a)(a)(a)")
	if p.s.Excluded("a", p.now) || p.s.Calm("a") {
		t.Error("after two dead letters")
	}
	p.play("(a)")
	if !p.s.Excluded("a", p.now) || !slices.Equal(p.s.AllExcluded(p.now), []string{"a"}) {
		t.Error("after three dead letters")
	}
	p.now = p.now.Add(ExcludeFor)
	if p.s.Excluded("a", p.now) || p.s.Calm("a") {
		t.Error("after ten minutes")
	}
	p.play("(a!|")
	if !p.s.Calm("a") || len(p.s.AllExcluded(p.now)) > 0 {
		t.Error("after a delivery")
	}
	for i := range 2 * topicsMost {
		p.s.topics.note(fmt.Sprint(i), 1, p.now)
	}
	if n := len(p.s.topics); n > topicsMost {
		t.Errorf("%d topics are remembered", n)
	}
}

// The pauses grow while another client uses the id, and end when a session holds or no
// broker is there.
func TestPauses(t *testing.T) {
	p := story{now: time.Unix(1e9, 0), s: New(Options{After: 3, Stable: 20 * time.Second, Random: zero})}
	p.play("()()()()")
	if p.s.Pause() != 0 {
		t.Error("a pause before the client is recognised")
	}
	var got []time.Duration
	for range 9 {
		p.play("()")
		got = append(got, p.s.Pause())
	}
	want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 150, 150}
	for i := range want {
		if want[i] *= time.Second; got[i] != want[i] {
			t.Fatalf("pauses %v, want %v", got, want)
		}
	}
	for name, over := range map[string]func(*State){"held": (*State).Held, "no broker": (*State).NoBroker} {
		s := p.s
		if over(&s); s.Named() || s.Pause() != 0 {
			t.Error(name)
		}
	}
}

func TestBirth(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := New(Options{After: 3, Random: zero})
	for i, want := range []bool{false, false, true} {
		if got := s.EndedUponBirth(now); got != want || s.Announces(now) == want {
			t.Errorf("strike %d: %v", i+1, got)
		}
	}
	if now = now.Add(ExcludeFor); !s.Announces(now) {
		t.Error("left out for ever")
	}
	s.EndedUponBirth(now)
	s.EndedUponBirth(now)
	s.BirthAcked()
	if s.EndedUponBirth(now) {
		t.Error("strikes outlast an acknowledgement")
	}
	never := New(Options{After: -1, Random: zero})
	for range 10 {
		if never.EndedUponBirth(now) {
			t.Error("left out although nothing is found to be the cause")
		}
	}
}
