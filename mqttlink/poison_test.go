package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/internal/blame"
	"pithings/mqttlink/outbox"
)

// on makes a link over the script's pipes and runs it on the fake clock until
// stop is called, which waits for its end and the script's.
func (s *script) on(t *testing.T, o Options) (l *Link, stop func()) {
	t.Helper()
	if o.Dial == nil {
		o.Dial = s.pipe
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	return l, func() {
		cancel()
		<-done
		s.wg.Wait()
	}
}

// to publishes one message.
func to(t *testing.T, l *Link, topic string, qos byte, payload string) {
	t.Helper()
	if err := l.Publish(t.Context(), Message{Topic: topic, Payload: []byte(payload), QoS: qos}); err != nil {
		t.Fatal(err)
	}
}

// hangUpOn makes the script close the connection upon a PUBLISH to a topic.
func hangUpOn(topics ...string) func(packets.ControlPacket, net.Conn) {
	return func(p packets.ControlPacket, c net.Conn) {
		if p, ok := p.(*packets.PublishPacket); ok && slices.Contains(topics, p.TopicName) {
			c.Close()
		}
	}
}

func TestPoison(t *testing.T) {
	for _, tt := range []struct {
		name      string
		broker    *script
		messages  string // topics: f is forbidden; upper case is QoS 0
		want      string // topics in the order of first arrival
		aside     string
		sessions  uint64 // at most
		unordered bool
	}{
		{"alone", &script{}, "f", "", "f", 3, false},
		{"first", &script{}, "fab", "ab", "f", 4, false},
		{"in the middle", &script{}, "abfcd", "abcd", "f", 5, false},
		{"last", &script{}, "abf", "ab", "f", 4, false},
		{"two", &script{}, "afbgc", "abc", "fg", 9, false},
		{"four on one topic", &script{}, "afbfcfdfe", "abcde", "ffff", 9, false},
		{"behind QoS 0", &script{}, "AAfb", "AAb", "f", 5, false},
		{"before QoS 0", &script{}, "fAAb", "AAb", "f", 5, false},
		{"the acknowledgements before it are lost", &script{answer: func(session, n int) bool { return session > 2 }}, "abfc", "abc", "f", 7, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tt.broker
				s.onPacket = hangUpOn("f", "g")
				var log logBuffer
				o := options("broker:1883")
				o.Log = log.logger()
				o.Backoff = Backoff{}
				l, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				o.Outbox = l.queue.box
				for i, topic := range tt.messages {
					qos := byte(1)
					if topic < 'a' {
						qos = 0
					}
					to(t, l, string(topic), qos, fmt.Sprint(string(topic), i))
				}
				l, stop := s.on(t, o)
				if err := l.Flush(timeout(t.Context(), time.Hour)); err != nil {
					t.Fatal(err)
				}
				stop()
				var got strings.Builder
				seen := map[string]bool{}
				for _, p := range s.payloads() {
					if !seen[p] && p[0] != 'f' && p[0] != 'g' {
						got.WriteByte(p[0])
					}
					seen[p] = true
				}
				if got.String() != tt.want {
					t.Errorf("arrived %s, want %s", got.String(), tt.want)
				}
				aside := ""
				for _, a := range l.DeadLetters() {
					aside += a.Message.Topic
					if len(a.Message.Payload) == 0 || !strings.Contains(a.Reason, "publishing to "+a.Message.Topic) {
						t.Errorf("set aside %+v", a)
					}
				}
				st := l.Stats()
				if aside != tt.aside || st.DeadLetters != uint64(len(tt.aside)) || st.Acked != uint64(len(tt.want)) {
					t.Errorf("set aside %q (%d), want %q; %d delivered", aside, st.DeadLetters, tt.aside, st.Acked)
				}
				if st.Connects > tt.sessions {
					t.Errorf("%d sessions, at most %d", st.Connects, tt.sessions)
				}
				set := 0
				for _, line := range log.lines() {
					if strings.Contains(line, "kept as a dead letter") {
						set++
					}
				}
				topics := map[rune]bool{}
				for _, f := range tt.aside {
					topics[f] = true
				}
				if set != len(topics) {
					t.Errorf("%d lines tell of it:\n%s", set, strings.Join(log.lines(), "\n"))
				}
			})
		})
	}
}

// Poison is what ends the session, and nothing else is.
func TestNotPoison(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *script
		set  func(*Options)
	}{
		{"a broker that crashes twice upon the first message", &script{drop: func(session, _ int) bool { return session <= 2 }}, nil},
		{"a broker that does not acknowledge in five sessions", &script{answer: func(session, _ int) bool { return session > 5 }}, nil},
		{"a broker that closes while idle", &script{onConnect: func(session int, c net.Conn) {
			if session <= 3 {
				c.Close()
			}
		}}, nil},
		{"a network that breaks", &script{}, func(o *Options) {
			pipe, n := o.Dial, 0
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := pipe(ctx, network, addr)
				if n++; n <= 6 {
					return &breaking{Conn: c}, err
				}
				return c, err
			}
		}},
		{"switched off", &script{drop: func(session, _ int) bool { return session <= 20 }}, func(o *Options) { o.PoisonAfter = -1 }},
		{"after ten", &script{drop: func(session, _ int) bool { return session <= 9 }}, func(o *Options) { o.PoisonAfter = 10 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options("broker:1883")
				o.Dial = tt.s.pipe
				if tt.set != nil {
					tt.set(&o)
				}
				l, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				publish(t, l, 1, "a", "b", "c")
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- l.Run(ctx) }()
				if err := l.Flush(timeout(ctx, time.Hour)); err != nil {
					t.Error(err)
				}
				cancel()
				<-done
				tt.s.wg.Wait()
				if st := l.Stats(); st.DeadLetters > 0 || st.Acked != 3 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// breaking takes a CONNECT, and then fails as a network does.
type breaking struct {
	net.Conn
	writes int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, errors.New("no route to host")
	}
	return b.Conn.Write(p)
}

// A topic of which three messages in a row became dead letters is excluded: its
// messages go aside without a session lost, until one is tried again.
func TestBarredTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		s := &script{onPacket: func(p packets.ControlPacket, c net.Conn) {
			if !mended.Load() {
				hangUpOn("f")(p, c)
			}
		}}
		o := options("broker:1883")
		o.Backoff = Backoff{}
		var stored []DeadLetter
		o.KeepDeadLetter = func(a DeadLetter) error { stored = append(stored, a); return nil }
		l, stop := s.on(t, o)
		flush := func() {
			t.Helper()
			if err := l.Flush(timeout(t.Context(), 10*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			to(t, l, "f", 1, "x")
		}
		flush()
		time.Sleep(time.Second)
		before := l.Stats()
		if got := before.Excluded; !slices.Equal(got, []string{"f"}) {
			t.Errorf("barred: %v", got)
		}
		for range 1000 {
			to(t, l, "f", 1, "x")
			to(t, l, "a", 1, "y")
		}
		flush()
		st := l.Stats()
		if st.Connects > before.Connects+1 || st.DeadLetters != 1003 || len(stored) != 1003 || len(l.DeadLetters()) != 0 || st.Acked != 1000 {
			t.Errorf("%d sessions more, %d set aside, %d stored, %d delivered", st.Connects-before.Connects, st.DeadLetters, len(stored), st.Acked)
		}
		time.Sleep(blame.ExcludeFor)
		mended.Store(true)
		to(t, l, "f", 1, "x")
		flush()
		synctest.Wait() // until it is known that the session has survived it
		if st := l.Stats(); st.DeadLetters != 1003 || st.Acked != 1001 || len(st.Excluded) > 0 || !l.suspects.calm("f") {
			t.Errorf("after the mending: %+v", st)
		}
		stop()
	})
}

// A program that keeps publishing with QoS 0 to a topic that is not allowed loses
// these messages, but does not stop the rest.
func TestPoisonWithoutAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{onPacket: hangUpOn("F")}
		o := options("broker:1883")
		l, stop := s.on(t, o)
		for i := range 300 {
			to(t, l, "F", 0, "x")
			to(t, l, "a", 1, fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		if err := l.Flush(timeout(t.Context(), time.Minute)); err != nil {
			t.Fatal(err)
		}
		st := l.Stats()
		if !slices.Equal(st.Excluded, []string{"F"}) || st.Connects > 10 || st.TakenOver {
			t.Errorf("%+v", st)
		}
		stop()
		for _, a := range l.DeadLetters() {
			if a.Message.Topic != "F" {
				t.Errorf("set aside: %+v", a)
			}
		}
		checkFirst(t, s, "a", 300)
	})
}

// checkFirst checks that 0 to n-1 arrived on a topic, first arrivals in order.
func checkFirst(t *testing.T, s *script, topic string, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	next := 0
	for _, p := range s.packets {
		if p, ok := p.(*packets.PublishPacket); ok && p.TopicName == topic {
			var i int
			if fmt.Sscan(string(p.Payload), &i); i > next {
				t.Fatalf("%d arrived, but %d has not", i, next)
			} else if i == next {
				next++
			}
		}
	}
	if next != n {
		t.Errorf("%d arrived, want %d", next, n)
	}
}

// What cannot be stored stays in memory, within bounds.
func TestAsideWithoutStore(t *testing.T) {
	var log logBuffer
	o := options("broker:1883")
	o.Log = log.logger()
	o.KeepDeadLetter = func(DeadLetter) error { return errors.New("disk full") }
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * deadMessages {
		l.queue.dead.add(outbox.Record{Topic: "f", Payload: []byte(fmt.Sprint(i))}, "why", 3)
	}
	a := l.DeadLetters()
	if len(a) != deadMessages || string(a[len(a)-1].Message.Payload) != fmt.Sprint(3*deadMessages-1) {
		t.Errorf("%d kept", len(a))
	}
	for range 10 {
		l.queue.dead.add(outbox.Record{Topic: "f", Payload: make([]byte, deadBytes/4)}, "why", 3)
	}
	if a := l.DeadLetters(); len(a) != 3 || l.Stats().DeadLetters != 3*deadMessages+10 {
		t.Errorf("%d large ones kept, %d counted", len(a), l.Stats().DeadLetters)
	}
	if lines := log.lines(); len(lines) != 2 || !strings.Contains(lines[0], "disk full") {
		t.Errorf("log:\n%s", strings.Join(lines, "\n"))
	}
	l.queue.dead.add(outbox.Record{Topic: "f", Payload: make([]byte, 2*deadBytes)}, "why", 3)
	if a := l.DeadLetters(); len(a) != 1 {
		t.Errorf("%d kept, want the last one however large", len(a))
	}
}

// Two clients with one id kick each other for ever. That is recognised, logged, and
// slowed down; what is published gets through all the same.
func TestDuplicateClientID(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold time.Duration // until the other one is back
	}{
		{"at once", 0},
		{"after a second", time.Second},
		{"after two seconds", 2 * time.Second},
		{"after five", 5 * time.Second},
	} {
		for _, traffic := range []string{"idle", "QoS 1", "QoS 0"} {
			t.Run(tt.name+", "+traffic, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var gone atomic.Bool
					s := &script{onConnect: func(_ int, c net.Conn) {
						if !gone.Load() {
							time.AfterFunc(tt.hold, func() { c.Close() })
						}
					}}
					var log logBuffer
					o := options("broker:1883")
					o.Backoff = Backoff{}
					o.Log = log.logger()
					l, stop := s.on(t, o)
					for i := range 1800 {
						switch traffic {
						case "QoS 1":
							to(t, l, "a", 1, fmt.Sprint(i))
						case "QoS 0":
							to(t, l, "a", 0, fmt.Sprint(i))
						}
						time.Sleep(2 * time.Second)
					}
					st := l.Stats()
					if !st.TakenOver || st.DeadLetters > 0 || st.Connects > 60 {
						t.Errorf("%+v", st)
					}
					lines := log.lines()
					named := 0
					for _, line := range lines {
						if strings.Contains(line, "another client uses client id") {
							named++
						}
					}
					if named != 1 || len(lines) > 10 {
						t.Errorf("named %d times in %d lines:\n%s", named, len(lines), strings.Join(lines, "\n"))
					}
					if tt.hold > 0 && st.Queued > 200 {
						t.Errorf("%d messages are stuck", st.Queued)
					}
					// The other one goes away.
					gone.Store(true)
					time.Sleep(15 * time.Minute)
					if st := l.Stats(); st.State != Online || st.TakenOver || st.Queued > 0 {
						t.Errorf("after the other has gone: %+v", st)
					}
					stop()
					if traffic == "QoS 1" {
						checkFirst(t, s, "a", 1800)
					}
				})
			})
		}
	}
}

// Whenever the other client comes back, no topic of messages with QoS 0 is excluded; they
// cannot be distinguished from those that a broker does not allow but by when the sessions end.
func TestDuplicateClientIDAtAnyTime(t *testing.T) {
	for hold := time.Second; hold < 6*time.Second; hold += 50 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s := &script{onConnect: func(_ int, c net.Conn) { time.AfterFunc(hold, func() { c.Close() }) }}
			o := options("broker:1883")
			o.Backoff = Backoff{}
			l, stop := s.on(t, o)
			for i := range 900 {
				to(t, l, "a", 0, fmt.Sprint(i))
				time.Sleep(2 * time.Second)
			}
			if st := l.Stats(); !st.TakenOver && hold < 10*time.Second || st.DeadLetters > 0 || !l.suspects.calm("a") {
				t.Errorf("it holds the id after %v: %+v", hold, st)
			}
			stop()
		})
	}
}
