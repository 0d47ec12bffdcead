package mqttlink

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
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

// The end takes no longer with a held link than with another, whatever the broker does not answer
// of what is published past it.
func TestHeldLinkEndsAtASilentBroker(t *testing.T) {
	for name, broker := range map[string]func() *script{
		"no PUBACK": func() *script { return &script{answer: func(int, int) bool { return false }} },
		"no SUBACK": func() *script { return &script{noSuback: true} },
	} {
		t.Run(name, func(t *testing.T) {
			end := func(hold bool) (took time.Duration) {
				synctest.Test(t, func(t *testing.T) {
					s := broker()
					o := options("broker:1883")
					o.Dial, o.AckTimeout, o.FlushTimeout = s.pipe, time.Minute, 2*time.Second
					l, err := New(o)
					if err != nil {
						t.Fatal(err)
					}
					l.Hold(hold)
					ctx, stop := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					go func() { ended <- l.Run(ctx) }()
					synctest.Wait()
					if !l.Connected() {
						t.Fatal("no connection")
					}
					if _, err := l.Past().Subscribe("t", 1, func(context.Context, Message) {}); err != nil {
						t.Fatal(err)
					}
					published := make(chan error, 1)
					go func() { published <- l.Past().Publish(t.Context(), Message{Topic: "answer", QoS: 1}) }()
					synctest.Wait()
					began := time.Now()
					stop()
					if err := <-ended; err != nil {
						t.Error(err)
					}
					took = time.Since(began)
					if err := <-published; hold && !errors.Is(err, ErrUnqueued) || !hold && err != nil {
						t.Errorf("hold %v: %v", hold, err)
					}
					if err := l.Past().Publish(t.Context(), Message{Topic: "late", QoS: 1}); !errors.Is(err, ErrEnded) {
						t.Errorf("hold %v, after the end: %v", hold, err)
					}
					s.wg.Wait()
				})
				return took
			}
			if usual, held := end(false), end(true); held > usual {
				t.Errorf("the end takes %v, and %v without a hold", held, usual)
			}
		})
	}
}

// What is being published past a held link when it ends still arrives, if the broker answers soon.
func TestHeldLinkWaitsForLastAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(int, int) bool { time.Sleep(time.Second); return true }}
		o := options("broker:1883")
		o.Dial, o.FlushTimeout = s.pipe, 2*time.Second
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l.Hold(true)
		end := begin(t, l)
		synctest.Wait()
		published := make(chan error, 1)
		go func() { published <- l.Past().Publish(t.Context(), Message{Topic: "answer", QoS: 1}) }()
		synctest.Wait()
		end()
		if err := <-published; err != nil {
			t.Error(err)
		}
		s.wg.Wait()
	})
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
