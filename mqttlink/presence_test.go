package mqttlink

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// words returns the packets that came, as words.
func (s *script) words() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packets {
		switch p := p.(type) {
		case *packets.ConnectPacket:
			all = append(all, fmt.Sprintf("CONNECT will %s=%s retain %v qos %d", p.WillTopic, p.WillMessage, p.WillRetain, p.WillQos))
		case *packets.PublishPacket:
			all = append(all, fmt.Sprintf("PUBLISH %s=%s retain %v qos %d", p.TopicName, p.Payload, p.Retain, p.Qos))
		case *packets.SubscribePacket:
			all = append(all, "SUBSCRIBE")
		case *packets.DisconnectPacket:
			all = append(all, "DISCONNECT")
		}
	}
	return all
}

// TestStatusIsTrueAfterAKill: with a retained will alone a client is "offline" for ever after
// its first kill (telegraf#16046, node-red#1719). Status is published at each connect, before
// all else, and at a clean end.
func TestStatusIsTrueAfterAKill(t *testing.T) {
	b := startBroker(t)
	watcher := options(b.Addr())
	watcher.ClientID = "watcher"
	w := run(t, watcher)
	h := listen(t, w, "#")
	publish(t, w, 1, "ready")
	h.wait(t, 1)
	kill := make(chan net.Conn, 10)
	o := options(b.Addr())
	o.ClientID, o.Status = "pi", true
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
	if p, ok := l.Presence(); !ok || p != (Presence{"pi/status", "online", "offline"}) {
		t.Errorf("presence %+v, %v", p, ok)
	}
	if err := l.Publish(t.Context(), Message{Topic: "first", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	h.wait(t, 3)
	(<-kill).(*net.TCPConn).CloseWrite()
	h.wait(t, 5)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range h.wait(t, 6)[1:] {
		got = append(got, m.Topic+"="+string(m.Payload))
	}
	if want := []string{"pi/status=online", "first=", "pi/status=offline", "pi/status=online", "pi/status=offline"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	late := options(b.Addr())
	late.ClientID = "late"
	if m := listen(t, run(t, late), "pi/status").wait(t, 1)[0]; string(m.Payload) != "offline" || !m.Retain {
		t.Errorf("kept: %+v", m)
	}
}

// TestOrderOnTheWire of birth, close and what is between them.
func TestOrderOnTheWire(t *testing.T) {
	s := &script{}
	o := options(s.listen(t, nil))
	o.Will = &Message{Topic: "w", Payload: []byte("gone"), Retain: true}
	o.Birth = &Message{Topic: "b", Payload: []byte("here"), QoS: 1}
	o.Close = &Message{Topic: "c", Payload: []byte("bye")}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Presence(); ok {
		t.Error("will and birth on two topics are taken for a presence")
	}
	if _, err := l.Subscribe("x", 1, func(context.Context, Message) {}); err != nil {
		t.Fatal(err)
	}
	publish(t, l, 1, "0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	flush(t, l)
	cancel()
	<-done
	want := []string{"CONNECT will w=gone retain true qos 0", "PUBLISH b=here retain false qos 1", "SUBSCRIBE",
		"PUBLISH t=0 retain false qos 1", "PUBLISH c=bye retain false qos 0", "DISCONNECT"}
	s.wait(t, "the packets", func() bool { return len(s.packets) >= len(want) })
	if got := s.words(); !slices.Equal(got, want) {
		t.Errorf("on the wire:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestForbiddenStatus: a broker that hangs up upon the birth message is used without it.
func TestForbiddenStatus(t *testing.T) {
	s := &script{}
	s.drop = func(session, n int) bool { return session <= 3 && n == 1 }
	o := options(s.listen(t, nil))
	o.Status = true

	l := run(t, o)
	publish(t, l, 1, "0")
	flush(t, l)
	got := s.words()
	if want := []string{"CONNECT will = retain false qos 0", "PUBLISH t=0 retain false qos 1"}; !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("on the wire:\n%s", strings.Join(got, "\n"))
	}
}

func TestOneWill(t *testing.T) {
	o := options("127.0.0.1:1")
	o.Status, o.Will = true, &Message{Topic: "x"}
	if _, err := New(o); kindOf(err) != BadOption || !strings.Contains(err.Error(), "status and will are both given") {
		t.Errorf("error %v", err)
	}
	o = options("127.0.0.1:1")
	o.Status, o.ClientID = true, "a#b"
	if _, err := New(o); kindOf(err) != BadOption {
		t.Errorf("a client id that is no topic: error %v", err)
	}
}
