package mqttlink

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/outbox"
)

// published returns "topic payload" of what has arrived, in order.
func (s *script) published() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packets {
		if p, ok := p.(*packets.PublishPacket); ok {
			all = append(all, p.TopicName+" "+string(p.Payload))
		}
	}
	return all
}

// What is published online overtakes the backlog, which goes to its own topic at its
// own pace; both are in order, and a command keeps its topic.
func TestLiveFirst(t *testing.T) {
	online := make(chan struct{})
	s := &script{}
	o := options(s.listen(t, nil))
	o.OnState = func(s State) {
		if s == Online {
			close(online)
		}
	}
	o.LiveFirst, o.Drain, o.Window = true, 20, 4
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		publish(t, l, byte(i%2), fmt.Sprint(i))
	}
	if err := l.Publish(t.Context(), Message{Topic: "command", QoS: 1, Expiry: time.Hour, Retain: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-online
	const live = 200
	for i := range live {
		publish(t, l, byte(i%2), fmt.Sprint(100+i))
	}
	flush(t, l)
	all := s.published()
	var backlog, news []string
	lastNews := 0
	for i, m := range all {
		if topic, payload, _ := strings.Cut(m, " "); strings.HasSuffix(topic, "/history") || topic == "command" {
			backlog = append(backlog, payload)
		} else {
			news, lastNews = append(news, payload), i
		}
	}
	if want := append(numbers(10), ""); !slices.Equal(backlog, want) {
		t.Errorf("of the backlog %q arrived, want %q", backlog, want)
	}
	if len(news) != live || !slices.IsSortedFunc(news, strings.Compare) {
		t.Errorf("of what was new %q arrived", news)
	}
	if lastNews > len(all)-6 {
		t.Errorf("the news waited for the backlog: the last was %d of %d", lastNews, len(all))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packets {
		if p, ok := p.(*packets.PublishPacket); ok && p.TopicName != "command" && p.Retain {
			t.Errorf("%v is to be kept", p)
		}
	}
}

// Live first over an outbox on disk, through sessions that break and processes that
// end: all QoS 1 messages arrive, QoS 0 at most once, the news of each session in
// order, and what is delivered is not delivered again.
func TestLiveFirstLosesNothing(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(0, 7))
	var mu sync.Mutex
	s := &script{onPacket: func(p packets.ControlPacket, c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		// Upon a message with QoS 1, so that another client is not suspected.
		if p, ok := p.(*packets.PublishPacket); ok && p.Qos == 1 && r.IntN(20) == 0 {
			c.Close()
		}
	}}
	addr := s.listen(t, nil)
	published := 0
	const window = 6
	for life := range 6 {
		box, err := outbox.Open(dir, outbox.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o := options(addr)
		o.Outbox, o.LiveFirst, o.Window, o.FlushTimeout, o.PoisonAfter = box, true, window, time.Millisecond, -1
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		for range 200 {
			publish(t, l, byte(published%2), fmt.Sprint(published))
			published++
			if published%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if life == 5 {
			flush(t, l)
		}
		cancel()
		<-ended
		if err := box.Close(); err != nil {
			t.Fatal(err)
		}
	}
	times := map[string]int{}
	for _, payload := range s.payloads() {
		times[payload]++
	}
	again := 0
	for i := range published {
		switch n := times[fmt.Sprint(i)]; {
		case n == 0 && i%2 == 1:
			t.Errorf("%d is lost", i)
		case n > 1 && i%2 == 0:
			t.Errorf("%d arrived %d times with QoS 0", i, n)
		case n > 1:
			again += n - 1
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.sessions * window; again > most {
		t.Errorf("%d duplicates in %d sessions, at most %d are allowed", again, s.sessions, most)
	}
}

// A message upon which the broker hangs up is found among live ones and a backlog.
func TestLiveFirstPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{onPacket: func(p packets.ControlPacket, c net.Conn) {
			if p, ok := p.(*packets.PublishPacket); ok && string(p.Payload) == "bad" {
				c.Close()
			}
		}}
		o := options("x:1")
		o.LiveFirst = true
		l, stop := s.on(t, o)
		defer stop()
		for i := range 50 {
			publish(t, l, 1, fmt.Sprint(i))
		}
		publish(t, l, 1, "bad")
		for i := range 50 {
			publish(t, l, 1, fmt.Sprint(100+i))
		}
		flush(t, l)
		if a := l.DeadLetters(); len(a) != 1 || string(a[0].Message.Payload) != "bad" {
			t.Errorf("set aside: %+v", a)
		}
		times := map[string]int{}
		for _, payload := range s.payloads() {
			times[payload]++
		}
		if len(times) != 101 {
			t.Errorf("%d different messages arrived", len(times))
		}
	})
}
