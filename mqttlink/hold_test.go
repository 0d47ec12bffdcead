package mqttlink

import (
	"context"
	"errors"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// A held link sends nothing from its outbox and hands nothing to handlers, but for those who use
// Past; nothing is lost, also over a restart, and the order stays.
func TestHold(t *testing.T) {
	b := startBroker(t)
	listener := options(b.Addr())
	listener.ClientID = "listener"
	l := run(t, listener)
	all := listen(t, l, "#")
	dir := t.TempDir()
	box, err := outbox.Open(dir, outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := options(b.Addr())
	o.Outbox = box
	o.FlushTimeout = time.Minute
	o.Birth = &Message{Topic: "birth", Payload: []byte("1")}
	held, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	held.Hold(true) // before the first message
	publish := func(c Client, topic string, qos byte) {
		t.Helper()
		if err := c.Publish(t.Context(), Message{Topic: topic, QoS: qos, Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	publish(held, "before/1", 1)
	commands, service := listen(t, held, "commands"), listen(t, held.Past(), "service")
	flush(t, l)
	running := begin(t, held)
	all.wait(t, 1) // birth
	publish(held, "held/0", 0)
	publish(held, "held/1", 1)
	publish(held.Past(), "past/1", 1)
	publish(held.Past(), "past/0", 0)
	if got := topics(all.wait(t, 3)); got[0] != "birth" || got[1] != "past/1" || got[2] != "past/0" {
		t.Errorf("sent while it is held: %v", got)
	}
	if err := held.Publish(t.Context(), Message{Topic: "now", Unqueued: true}); !errors.Is(err, ErrUnqueued) {
		t.Errorf("a message that is not to be queued: %v", err)
	}
	publish(l, "commands", 1)
	publish(l, "service", 1)
	service.wait(t, 1)
	if err := held.Flush(t.Context()); !errors.Is(err, ErrHeld) {
		t.Errorf("Flush: %v", err)
	}
	if s := held.Stats(); !s.Held || s.Queued != 3 {
		t.Errorf("%+v", s)
	}
	began := time.Now()
	running()
	if took := time.Since(began); took > o.FlushTimeout/2 {
		t.Errorf("a held link takes %v to end", took)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}

	// The next process has it all, and sends it once it is let go.
	if o.Outbox, err = outbox.Open(dir, outbox.DiskOptions{}); err != nil {
		t.Fatal(err)
	}
	defer o.Outbox.(*outbox.Disk).Close()
	if held, err = New(o); err != nil {
		t.Fatal(err)
	}
	held.Hold(true)
	defer begin(t, held)()
	all.wait(t, 6) // commands, service, birth
	publish(held, "held/2", 1)
	held.Hold(false)
	publish(held, "after", 1)
	got := topics(all.wait(t, 11))[6:]
	for i, want := range []string{"before/1", "held/0", "held/1", "held/2", "after"} {
		if got[i] != want {
			t.Fatalf("sent once it is let go: %v", got)
		}
	}
	flush(t, held)
	commands.mu.Lock()
	defer commands.mu.Unlock()
	if len(commands.msgs) > 0 {
		t.Errorf("a handler got %v", commands.msgs)
	}
}

// With no queue, a message is refused while the link is held, as through an outage; and so is one
// past it without a connection.
func TestHoldWithoutQueue(t *testing.T) {
	o := options(startBroker(t).Addr())
	o.MaxQueued = 0
	online := make(chan struct{}, 8)
	o.OnState = func(s State) {
		if s == Online {
			online <- struct{}{}
		}
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l.Hold(true)
	if err := l.Past().Publish(t.Context(), Message{Topic: "past"}); !errors.Is(err, ErrUnqueued) {
		t.Errorf("without a connection: %v", err)
	}
	delivered := make(chan struct{}, 1)
	heard := listen(t, l.Past(), "past")
	defer begin(t, l)()
	<-online
	if err := l.Publish(t.Context(), Message{Topic: "t", QoS: 1}); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	if err := l.Past().Publish(t.Context(), Message{Topic: "past", QoS: 1, Delivered: func() { delivered <- struct{}{} }}); err != nil {
		t.Error(err)
	}
	heard.wait(t, 1)
	<-delivered
}

// begin runs a link until the function that it returns is called.
func begin(t *testing.T, l *Link) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func topics(all []Message) (names []string) {
	for _, m := range all {
		names = append(names, m.Topic)
	}
	return names
}
