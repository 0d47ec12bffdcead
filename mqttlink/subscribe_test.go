package mqttlink

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestResubscribes(t *testing.T) {
	b := startBroker(t)
	conns := make(chan net.Conn, 10)
	o := options(b.Addr())
	o.Dial = func(ctx context.Context, n, a string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, n, a)
		if err == nil {
			conns <- c
		}
		return c, err
	}
	l := run(t, o)
	h := listen(t, l, "t")
	for i := range 3 {
		publish(t, l, 1, fmt.Sprint(i))
		h.wait(t, i+1)
		(<-conns).(*net.TCPConn).CloseWrite()
		for l.Stats().Connects < uint64(i)+2 {
			time.Sleep(time.Millisecond)
		}
	}
}

// At most eight filters go into one SUBSCRIBE, and what is cancelled is
// unsubscribed from.
func TestFiltersPerSubscribe(t *testing.T) {
	s := &script{}
	l, err := New(options(s.listen(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var cancels []func()
	for i := range 20 {
		cancel, err := l.Subscribe(fmt.Sprintf("f/%02d", i), 1, func(context.Context, Message) {})
		if err != nil {
			t.Fatal(err)
		}
		cancels = append(cancels, cancel)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	publish(t, l, 1, "x")
	flush(t, l) // behind all the SUBSCRIBEs
	for _, c := range cancels[3:] {
		c()
		c() // again does nothing
	}
	var subscribed, unsubscribed, most int
	s.wait(t, "17 filters to be unsubscribed", func() bool {
		subscribed, unsubscribed, most = 0, 0, 0
		for _, p := range s.packets {
			switch p := p.(type) {
			case *packets.SubscribePacket:
				subscribed += len(p.Topics)
				most = max(most, len(p.Topics))
			case *packets.UnsubscribePacket:
				unsubscribed += len(p.Topics)
			}
		}
		return unsubscribed == 17
	})
	if subscribed != 20 || most != 8 {
		t.Errorf("%d filters subscribed, at most %d in a packet; want 20 and 8", subscribed, most)
	}
	stop()
	<-done
}

// A request must not overtake the subscription for its answer.
func TestPublishGoesBehindSubscribe(t *testing.T) {
	s := &script{}
	l := run(t, options(s.listen(t, nil)))
	for i := range 50 {
		cancel, err := l.Subscribe(fmt.Sprintf("answer/%d", i), 1, func(context.Context, Message) {})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, l, 1, fmt.Sprint(i))
		defer cancel()
	}
	flush(t, l)
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	for _, p := range s.packets {
		switch p := p.(type) {
		case *packets.SubscribePacket:
			for _, f := range p.Topics {
				there[f] = true
			}
		case *packets.PublishPacket:
			if !there["answer/"+string(p.Payload)] {
				t.Errorf("message %s came before its SUBSCRIBE", p.Payload)
			}
		}
	}
}

func TestRefusedSubscription(t *testing.T) {
	var log logBuffer
	s := &script{suback: 0x80}
	o := options(s.listen(t, nil))
	o.Log = log.logger()
	l := run(t, o)
	listen(t, l, "secret/#")
	publish(t, l, 1, "x")
	flush(t, l) // the connection continues
	if r := l.Stats().Refusals; !slices.Equal(r, []string{"secret/#"}) {
		t.Errorf("refusals %v", r)
	}
	if !strings.Contains(strings.Join(log.lines(), "\n"), "refuses the subscription to secret/#") {
		t.Errorf("log:\n%s", strings.Join(log.lines(), "\n"))
	}
}

func TestUnansweredSubscribe(t *testing.T) {
	s := &script{noSuback: true}
	o := options(s.listen(t, nil))
	o.AckTimeout = 50 * time.Millisecond
	l := run(t, o)
	listen(t, l, "t")
	if e := lastError(t, l); !strings.Contains(e, "did not answer a SUBSCRIBE to t within 50ms") {
		t.Errorf("explained as %q", e)
	}
}

// A handler that hangs holds up neither others nor publishing nor the keep-alive.
func TestHandlerThatBlocks(t *testing.T) {
	const n = 2 * inboxMessages
	synctest.Test(t, func(t *testing.T) {
		pings := 0
		s := &script{onPacket: func(p packets.ControlPacket, c net.Conn) {
			switch p := p.(type) {
			case *packets.PublishPacket: // what a broker does for a subscriber
				c.Write(publishPacket(p.TopicName, 0, 0, len(p.Payload)))
			case *packets.PingreqPacket:
				pings++
			}
		}}
		o := options("broker:1883")
		o.Dial = s.pipe
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go l.Run(ctx)
		handled := 0
		cancel, err := l.Subscribe("t", 1, func(ctx context.Context, _ Message) {
			handled++
			<-ctx.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
		others := 0
		if _, err := l.Subscribe("#", 1, func(context.Context, Message) { others++ }); err != nil {
			t.Fatal(err)
		}
		for range n {
			publish(t, l, 1, "x")
			synctest.Wait()
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if st := l.Stats(); st.Connects != 1 || st.State != Online || st.Acked != n {
			t.Errorf("the connection did not hold: %+v", st)
		}
		if others != n || handled != 1 || pings < 5 {
			t.Errorf("the other handler was called %d times, want %d; the hanging one %d; %d pings", others, n, handled, pings)
		}
		if m := l.Stats().Missed; m != n-1-inboxMessages {
			t.Errorf("%d messages counted as missed, want %d", m, n-1-inboxMessages)
		}
		cancel() // ends the handler's context, and waits for it
		stop()
		s.wg.Wait()
	})
}

func TestHandlerMayPublishSubscribeAndCancel(t *testing.T) {
	b := startBroker(t)
	l := run(t, options(b.Addr()))
	answers := listen(t, l, "answer")
	inner := make(chan string, 1)
	var cancel func()
	cancelled := make(chan struct{})
	ready := make(chan struct{})
	cancel, err := l.Subscribe("t", 1, func(ctx context.Context, m Message) {
		<-ready
		go cancel() // it waits for this handler
		if _, err := l.Subscribe("inner", 1, func(_ context.Context, m Message) { inner <- string(m.Payload) }); err != nil {
			t.Error(err)
		}
		for _, topic := range []string{"answer", "inner"} {
			if err := l.Publish(context.Background(), Message{Topic: topic, Payload: m.Payload, QoS: 1}); err != nil {
				t.Error(err)
			}
		}
		close(cancelled)
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	publish(t, l, 1, "x")
	<-cancelled
	answers.wait(t, 1)
	if got := <-inner; got != "x" {
		t.Errorf("inner subscription received %q", got)
	}
}

// publishPacket is a PUBLISH as a broker sends it.
func publishPacket(topic string, qos byte, id uint16, n int) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	body = append(body, topic...)
	if qos > 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	body = append(body, make([]byte, n)...)
	head := []byte{3<<4 | qos<<1}
	for rest := len(body); ; {
		b := byte(rest & 0x7f)
		if rest >>= 7; rest > 0 {
			head = append(head, b|0x80)
			continue
		}
		return append(append(head, b), body...)
	}
}

// A message beyond the limit is acknowledged and dropped; the next one arrives.
func TestTooLargeMessage(t *testing.T) {
	for qos := range byte(2) {
		acked := make(chan uint16, 10)
		s := &script{
			onPacket: func(p packets.ControlPacket, c net.Conn) {
				switch p := p.(type) {
				case *packets.SubscribePacket:
					go func() { // behind the SUBACK
						time.Sleep(10 * time.Millisecond)
						c.Write(publishPacket("t", qos, 7, 5000))
						c.Write(publishPacket("t", qos, 8, 500))
					}()
				case *packets.PubackPacket:
					acked <- p.MessageID
				}
			},
		}
		o := options(s.listen(t, nil))
		o.MaxInbound = 1000
		l := run(t, o)
		if got := listen(t, l, "t").wait(t, 1); len(got[0].Payload) != 500 {
			t.Errorf("received %d bytes", len(got[0].Payload))
		}
		if qos == 1 && (<-acked != 7 || <-acked != 8) {
			t.Error("the message dropped was not acknowledged")
		}
		if s := l.Stats(); s.TooLarge != 1 || s.Connects != 1 {
			t.Errorf("stats %+v", s)
		}
	}
}

// What a hostile or broken broker sends ends the session, never the process.
func TestBrokenBroker(t *testing.T) {
	for _, tt := range []struct {
		name string
		send []byte // after CONNACK
		want string
	}{
		{"SUBACK for nothing", []byte{9 << 4, 3, 0, 1, 0}, "SUBACK does not fit"},
		{"SUBACK with too many codes", []byte{9 << 4, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "SUBACK does not fit"},
		{"impossible length", []byte{4 << 4, 0xff, 0xff, 0xff, 0xff}, "impossible length"},
		{"large PUBACK", []byte{4 << 4, 0xff, 0xff, 0xff, 0x7f}, "no broker sends"},
		{"PUBLISH shorter than its topic", []byte{3 << 4, 4, 0xff, 0xff, 'a', 'b'}, "the connection"},
		{"packet type 15", []byte{0xf0, 0}, "the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{onConnect: func(_ int, c net.Conn) { c.Write(tt.send) }}
			o := options(s.listen(t, nil))
			o.Backoff = Backoff{Min: time.Hour, Max: time.Hour, random: func() float64 { return 1 }}
			l := run(t, o)
			if e := lastError(t, l); !strings.Contains(e, tt.want) {
				t.Errorf("explained as %q, want %q", e, tt.want)
			}
		})
	}
}

// TestPrompt: a prompt handler gets what a queued one gets, in order, its panic ends
// no other handler, and it is not called again when it has been cancelled.
func TestPrompt(t *testing.T) {
	s := &script{}
	conns := make(chan net.Conn, 1)
	s.onPacket = func(p packets.ControlPacket, c net.Conn) {
		if _, ok := p.(*packets.UnsubscribePacket); ok {
			conns <- c
		}
	}
	o := options(s.listen(t, nil))
	l := run(t, o)
	if _, err := l.SubscribeInline("a/#/b", 1, nil); err == nil {
		t.Error("a filter that is none is taken")
	}
	prompt, queued := make(chan int, 10), make(chan int, 10)
	cancel, err := l.SubscribeInline("t", 1, func(_ context.Context, m Message) {
		prompt <- len(m.Payload)
		m.Payload[0] = 'X' // it belongs to this handler
		if len(m.Payload) == 2 {
			panic("on purpose")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Subscribe("t", 1, func(_ context.Context, m Message) { queued <- len(m.Payload) + int(m.Payload[0]) }); err != nil {
		t.Fatal(err)
	}
	stop, err := l.SubscribeInline("other", 1, func(context.Context, Message) {})
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, "the subscriptions", func() bool {
		return slices.ContainsFunc(s.packets, func(p packets.ControlPacket) bool {
			sub, ok := p.(*packets.SubscribePacket)
			return ok && slices.Contains(sub.Topics, "other")
		})
	})
	stop()
	c := <-conns
	for n := 1; n <= 3; n++ {
		c.Write(publishPacket("t", 1, uint16(n), n))
	}
	for want := 1; want <= 3; want++ {
		if got := <-prompt; got != want {
			t.Errorf("prompt: %d bytes, want %d", got, want)
		}
		if got := <-queued; got != want {
			t.Errorf("queued: %d bytes, want %d", got, want)
		}
	}
	s.wait(t, "three PUBACKs", func() bool {
		n := 0
		for _, p := range s.packets {
			if _, ok := p.(*packets.PubackPacket); ok {
				n++
			}
		}
		return n == 3
	})
	cancel()
	c.Write(publishPacket("t", 1, 9, 9))
	if got := <-queued; got != 9 {
		t.Errorf("queued: %d bytes, want 9", got)
	}
	select {
	case got := <-prompt:
		t.Errorf("called after cancel with %d bytes", got)
	default:
	}
}
