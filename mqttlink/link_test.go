package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/broker"
	"pithings/mqttlink/outbox"
	"pithings/mqttlink/topic"
)

// numbers returns "0" … "n-1".
func numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprint(i)
	}
	return s
}

// heard collects what a subscription receives.
type heard struct {
	mu   sync.Mutex
	msgs []Message
	new  chan struct{}
}

func listen(t *testing.T, c Client, filter string) *heard {
	t.Helper()
	h := &heard{new: make(chan struct{}, 1)}
	cancel, err := c.Subscribe(filter, 1, func(_ context.Context, m Message) {
		h.mu.Lock()
		h.msgs = append(h.msgs, m)
		h.mu.Unlock()
		select {
		case h.new <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return h
}

// wait returns the first n messages.
func (h *heard) wait(t *testing.T, n int) []Message {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		if len(h.msgs) >= n {
			defer h.mu.Unlock()
			return slices.Clone(h.msgs)
		}
		have := len(h.msgs)
		h.mu.Unlock()
		select {
		case <-h.new:
		case <-deadline:
			t.Fatalf("%d messages, want %d", have, n)
		}
	}
}

func startBroker(t *testing.T) *broker.Broker {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// The ordinary day, over a real broker.
func TestPublishAndSubscribe(t *testing.T) {
	b := startBroker(t)
	o := options(b.Addr())
	l := run(t, o)
	all := listen(t, l, "TG_MS/#")
	one := listen(t, l, "TG_MS/+")
	if err := l.Publish(t.Context(), Message{Topic: "TG_MS/motion", Payload: []byte(`{"isMotionDetected": true}`), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*heard{all, one} {
		if m := h.wait(t, 1)[0]; m.Topic != "TG_MS/motion" || string(m.Payload) != `{"isMotionDetected": true}` || m.Retain {
			t.Errorf("received %+v", m)
		}
	}
	if !l.Connected() || l.State() != Online {
		t.Errorf("state %v", l.State())
	}
	if a := l.LocalAddr(); !a.IsLoopback() {
		t.Errorf("local address %v", a)
	}
	flush(t, l)
	if s := l.Stats(); s.Accepted != 1 || s.Acked != 1 || s.Connects != 1 || s.Queued != 0 || s.Resent != 0 || s.LastError != "" {
		t.Errorf("stats %+v", s)
	}
}

func TestRetained(t *testing.T) {
	b := startBroker(t)
	l := run(t, options(b.Addr()))
	if err := l.Publish(t.Context(), Message{Topic: "state", Payload: []byte("on"), QoS: 1, Retain: true}); err != nil {
		t.Fatal(err)
	}
	flush(t, l)
	if m := listen(t, l, "state").wait(t, 1)[0]; !m.Retain || string(m.Payload) != "on" {
		t.Errorf("first subscriber: %+v", m)
	}
	// A later one on the same filter must get it too.
	if m := listen(t, l, "state").wait(t, 1)[0]; !m.Retain {
		t.Errorf("second subscriber: %+v", m)
	}
}

func TestWill(t *testing.T) {
	b := startBroker(t)
	watcher := options(b.Addr())
	watcher.ClientID = "watcher"
	w := run(t, watcher)
	h := listen(t, w, "status")
	if err := w.Publish(t.Context(), Message{Topic: "status", Payload: []byte("ready"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	h.wait(t, 1)
	kill := make(chan net.Conn, 10)
	o := options(b.Addr())
	o.Will = &Message{Topic: "status", Payload: []byte("offline"), QoS: 1}
	o.Dial = func(ctx context.Context, n, a string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, n, a)
		if err == nil {
			kill <- c
		}
		return c, err
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	for !l.Connected() {
		time.Sleep(time.Millisecond)
	}
	(<-kill).(*net.TCPConn).CloseWrite() // the broker sees the end without a goodbye
	h.wait(t, 2)
	for !l.Connected() {
		time.Sleep(time.Millisecond)
	}
	cancel() // a clean end sends DISCONNECT: no second will
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(t.Context(), Message{Topic: "status", Payload: []byte("marker"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if got := h.wait(t, 3); string(got[1].Payload) != "offline" || string(got[2].Payload) != "marker" {
		t.Errorf("received %q and %q, want the will once", got[1].Payload, got[2].Payload)
	}
}

func TestOfflineMessagesArriveInOrder(t *testing.T) {
	s := &script{}
	var l *Link
	var err error
	addr := s.listen(t, nil)
	if l, err = New(options(addr)); err != nil {
		t.Fatal(err)
	}
	want := numbers(500)
	publish(t, l, 1, want...) // before Run
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	flush(t, l)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := s.payloads(); !slices.Equal(got, want) {
		t.Errorf("arrived %v", got)
	}
}

// checkDelivery checks the link's promise: every first arrival in order, and
// repetitions only as a contiguous run of at most window, at a session's start.
func checkDelivery(t *testing.T, s *script, want, window int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	next, session, repeated := 0, 0, 0
	var last int
	for i, a := range s.got {
		var n int
		fmt.Sscan(a.payload, &n)
		if a.session != session {
			session, repeated = a.session, 0
		} else if n != last+1 {
			t.Fatalf("arrival %d: %d behind %d in session %d", i, n, last, session)
		}
		switch {
		case n == next:
			next++
		case n < next:
			if repeated++; repeated > window {
				t.Fatalf("arrival %d: more than %d repetitions in session %d", i, window, session)
			}
		default:
			t.Fatalf("arrival %d: %d, but %d has not come", i, n, next)
		}
		last = n
	}
	if next != want {
		t.Fatalf("%d messages arrived, want %d", next, want)
	}
}

func TestConnectionsThatBreakLoseNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *script
	}{
		{"dropped at every 50th message", &script{drop: func(_, n int) bool { return n == 50 }}},
		{"dropped and acknowledgements behind", &script{
			drop:   func(_, n int) bool { return n == 40 },
			answer: func(_, n int) bool { return n < 30 },
		}},
		{"no acknowledgement in the first session", &script{
			answer: func(session, _ int) bool { return session > 1 },
		}},
		{"every seventh never acknowledged in odd sessions", &script{
			answer: func(session, n int) bool { return session%2 == 0 || n%7 != 0 },
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(tt.s.listen(t, nil))
			o.Window = 10
			o.AckTimeout = 100 * time.Millisecond
			l := run(t, o)
			const n = 400
			publish(t, l, 1, numbers(n)...)
			flush(t, l)
			checkDelivery(t, tt.s, n, o.Window)
			if l.Stats().Connects < 2 {
				t.Error("the script did not break the connection: this test shows nothing")
			}
		})
	}
}

// QoS 0 waits for a connection like the rest, and is sent at most once even if
// what stands before it is repeated.
func TestQoS0AtMostOnce(t *testing.T) {
	s := &script{answer: func(session, _ int) bool { return session > 1 }}
	o := options(s.listen(t, nil))
	o.AckTimeout = 200 * time.Millisecond
	l := run(t, o)
	publish(t, l, 1, "a")
	publish(t, l, 0, "b", "c")
	publish(t, l, 1, "d")
	flush(t, l)
	if got := strings.Join(s.payloads(), ""); got != "abcdad" {
		t.Errorf("arrived %s, want abcd, then the unacknowledged a and d again", got)
	}
}

func TestQueueing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		max   int
		drop  outbox.Drop
		errs  []error
		want  string
		stats Stats
	}{
		{"infinite", -1, outbox.DropNewest, []error{nil, nil, nil}, "012", Stats{Accepted: 3}},
		{"disabled", 0, outbox.DropNewest, []error{ErrOffline, ErrOffline, ErrOffline}, "", Stats{Refused: 3}},
		{"two, newest dropped", 2, outbox.DropNewest, []error{nil, nil, ErrFull}, "01", Stats{Accepted: 2, Refused: 1, Full: 1, Dropped: 1}},
		{"two, oldest dropped", 2, outbox.DropOldest, []error{nil, nil, nil}, "12", Stats{Accepted: 3, Dropped: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{}
			o := options(s.listen(t, nil))
			o.MaxQueued, o.Drop = tt.max, tt.drop
			l, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.errs {
				if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: 1}); !errors.Is(err, want) {
					t.Errorf("publish %d: %v, want %v", i, err, want)
				}
			}
			st := l.Stats()
			if st.Accepted != tt.stats.Accepted || st.Refused != tt.stats.Refused || st.Full != tt.stats.Full || st.Dropped != tt.stats.Dropped {
				t.Errorf("stats %+v", st)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			flush(t, l)
			if tt.max == 0 {
				for !l.Connected() {
					time.Sleep(time.Millisecond)
				}
				publish(t, l, 1, "online")
				flush(t, l)
				tt.want = "online"
			}
			cancel()
			<-done
			if got := strings.Join(s.payloads(), ""); got != tt.want {
				t.Errorf("arrived %s, want %s", got, tt.want)
			}
			if err := l.Publish(t.Context(), Message{Topic: "t"}); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
			if _, err := l.Subscribe("t", 0, func(context.Context, Message) {}); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func TestEndFlushes(t *testing.T) {
	s := &script{}
	o := options(s.listen(t, nil))
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	for !l.Connected() {
		time.Sleep(time.Millisecond)
	}
	publish(t, l, 1, numbers(200)...)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkDelivery(t, s, 200, 0)
	s.wait(t, "DISCONNECT as the last packet", func() bool {
		_, ok := s.packets[len(s.packets)-1].(*packets.DisconnectPacket)
		return ok
	})
	if err := l.Run(context.Background()); err == nil {
		t.Error("a link ran twice")
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	o := options("127.0.0.1:1")
	o.Limits = Limits{By: "AWS IoT Core", MaxPayload: 10, MaxTopicBytes: 20, MaxTopicLevels: 3, MaxSubscriptions: 2}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	for _, tt := range []struct {
		name string
		m    Message
		as   bool
		is   error
	}{
		{"payload", Message{Topic: "t", Payload: make([]byte, 11)}, true, nil},
		{"long topic", Message{Topic: strings.Repeat("x", 21)}, true, nil},
		{"deep topic", Message{Topic: "a/b/c/d"}, true, nil},
		{"wildcard", Message{Topic: "a/#"}, false, topic.ErrInvalid},
		{"empty", Message{}, false, topic.ErrInvalid},
		{"QoS 2", Message{Topic: "t", QoS: 2}, false, ErrQoS},
	} {
		err := l.Publish(t.Context(), tt.m)
		if tt.as && (!errors.As(err, &limit) || !strings.Contains(err.Error(), "AWS IoT Core allows")) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	none := func(context.Context, Message) {}
	for _, f := range []string{"a", "b", "a"} {
		if _, err := l.Subscribe(f, 1, none); err != nil {
			t.Errorf("subscribe to %s: %v", f, err)
		}
	}
	if _, err := l.Subscribe("c", 1, none); !errors.As(err, &limit) {
		t.Errorf("third filter: %v", err)
	}
	if _, err := l.Subscribe("a", 2, none); !errors.Is(err, ErrQoS) {
		t.Errorf("QoS 2: %v", err)
	}
	if _, err := l.Subscribe("a/#/b", 1, none); !errors.Is(err, topic.ErrInvalid) {
		t.Errorf("bad filter: %v", err)
	}
	if l.Queued() != 0 {
		t.Errorf("%d messages queued", l.Queued())
	}
}

// A link that has ended has left no goroutine behind, of ours or the library's.
func TestNothingStaysBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left in it
		s := &script{drop: func(_, n int) bool { return n == 10 }}
		o := options("broker:1883")
		o.Dial = s.pipe
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Subscribe("#", 1, func(ctx context.Context, _ Message) { <-ctx.Done() }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		publish(t, l, 1, numbers(100)...)
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-done
		s.wg.Wait()
	})
}

func BenchmarkPublishAcknowledged(b *testing.B) {
	br, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close()
	l, err := New(options(br.Addr()))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	m := Message{Topic: "bench/topic", Payload: make([]byte, 256), QoS: 1}
	b.ReportAllocs()
	b.SetBytes(256)
	for n := 1; b.Loop(); n++ {
		if err := l.Publish(ctx, m); err != nil {
			b.Fatal(err)
		}
		if n%1000 == 0 { // or the time would be that of queueing only
			if err := l.Flush(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	cancel()
	<-done
}
