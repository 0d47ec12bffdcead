package mqttlink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/pulse"
)

// wedge blocks those who come to its place until it is loosened.
type wedge struct {
	place   string
	reached chan struct{} // closed by the first
	loosen  chan struct{}
	once    sync.Once
}

func (w *wedge) at(place string) {
	if place == w.place {
		w.once.Do(func() { close(w.reached) })
		<-w.loosen
	}
}

// wedgedBox is an outbox on a disk that stops.
type wedgedBox struct {
	outbox.Box
	wedge *wedge
}

func (b wedgedBox) Next(from uint64) (outbox.Record, bool, error) {
	b.wedge.at("read")
	return b.Box.Next(from)
}

func (b wedgedBox) Save() {
	b.wedge.at("save")
	b.Box.Save()
}

// A loop that does not come to its next wait is found, wherever it hangs, and not before.
func TestAStuckLoopOfALinkIsFound(t *testing.T) {
	for _, tc := range []struct{ place, want string }{
		{"read", "connection as test, sender"},
		{"save", "connection as test, acknowledgements"},
		{"handler", "connection as test, handler of t"},
		{"nowhere", ""},
	} {
		t.Run(tc.place, func(t *testing.T) {
			o := options(startBroker(t).Addr())
			w := &wedge{place: tc.place, reached: make(chan struct{}), loosen: make(chan struct{})}
			o.Pulse, o.Outbox = pulse.New(), wedgedBox{outbox.NewMemory(outbox.Limits{}), w}
			l := run(t, o)
			t.Cleanup(func() { close(w.loosen) })
			heard := make(chan struct{})
			if _, err := l.Subscribe("t", 1, func(context.Context, Message) {
				w.at("handler")
				close(heard)
			}); err != nil {
				t.Fatal(err)
			}
			publish(t, l, 1, "x")
			if tc.want == "" {
				<-heard
				flush(t, l)
				// All come to rest: two looks at once find no loop at the same turn.
				for names := []string{""}; len(names) > 0; names = o.Pulse.Stuck(0) {
					time.Sleep(time.Millisecond)
				}
				return
			}
			<-w.reached
			o.Pulse.Stuck(0) // notes the turns
			time.Sleep(time.Millisecond)
			if names := o.Pulse.Stuck(0); !slices.Contains(names, tc.want) {
				t.Errorf("stuck are %q, want %s", names, tc.want)
			}
			if names := o.Pulse.Stuck(time.Hour); len(names) > 0 {
				t.Errorf("stuck for an hour are %q", names)
			}
		})
	}
}

// The loops of a link end with it.
func TestTheLoopsOfALinkEnd(t *testing.T) {
	o := options(startBroker(t).Addr())
	o.Pulse = pulse.New()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	h := listen(t, l, "a/#")
	if err := l.Publish(ctx, Message{Topic: "a/b", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	h.wait(t, 1)
	names := o.Pulse.String()
	for _, loop := range []string{"connection as test\n", "sender", "acknowledgements", "subscriptions", "handler of a/#"} {
		if !strings.Contains(names, loop) {
			t.Errorf("no %q among\n%s", loop, names)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if left := fmt.Sprint(o.Pulse); left != "" {
		t.Errorf("left are\n%s", left)
	}
}

// A broker that answers late or never is waited for as long as the settings say, which may be
// longer than a loop may be at work: no loop is stuck.
func TestASilentBrokerIsNoStuckLoop(t *testing.T) {
	for name, s := range map[string]*script{
		"no answer to CONNECT":      {silent: true},
		"no answer to SUBSCRIBE":    {noSuback: true},
		"no answer to UNSUBSCRIBE":  {noUnsuback: true},
		"no answer to the birth":    {answer: func(int, int) bool { return false }},
		"no answer to anything new": {noSuback: true, answer: func(int, int) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options("broker:1883")
				o.Dial, o.Pulse = s.pipe, pulse.New()
				o.ConnectTimeout, o.AckTimeout = 10*time.Minute, 10*time.Minute
				o.Birth = &Message{Topic: "birth", Payload: []byte("up"), QoS: 1}
				l, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				cancel, err := l.Subscribe("t", 1, func(context.Context, Message) {})
				if err != nil {
					t.Fatal(err)
				}
				ctx, end := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- l.Run(ctx) }()
				for i := range 30 {
					time.Sleep(time.Minute)
					if stuck := o.Pulse.Stuck(3 * time.Minute); len(stuck) > 0 {
						t.Errorf("after %d minutes: stuck are %q", i+1, stuck)
						break
					}
					cancel() // again and again does no harm
				}
				end()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				for _, c := range s.conns {
					c.Close()
				}
				s.wg.Wait()
			})
		})
	}
}

// A handler finds its loop in its context: a long one that moves it is not stuck.
func TestAHandlerFindsItsLoop(t *testing.T) {
	o := options(startBroker(t).Addr())
	o.Pulse = pulse.New()
	l := run(t, o)
	found := make(chan *pulse.Loop, 1)
	if _, err := l.Subscribe("t", 1, func(ctx context.Context, _ Message) { found <- pulse.Of(ctx) }); err != nil {
		t.Fatal(err)
	}
	publish(t, l, 1, "x")
	if loop := <-found; loop == nil {
		t.Error("the context of a handler has no loop")
	}
}

// slowSaves is an outbox on a disk that takes its time.
type slowSaves struct{ outbox.Box }

func (b slowSaves) Save() {
	time.Sleep(20 * time.Second)
	b.Box.Save()
}

// A full outbox on a slow disk is worked through for hours, and at the end of a link much is
// still to be saved: no loop is stuck.
func TestASlowDiskIsNoStuckLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(script)
		o := options("broker:1883")
		o.Dial, o.Pulse, o.Outbox = s.pipe, pulse.New(), slowSaves{outbox.NewMemory(outbox.Limits{})}
		o.Window, o.AckTimeout = 1000, 10*time.Minute
		l, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(fmt.Sprint(i)), QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		for i := range 60 {
			if i == 7 {
				end()
			}
			time.Sleep(time.Minute)
			if stuck := o.Pulse.Stuck(3 * time.Minute); len(stuck) > 0 {
				t.Errorf("after %d minutes: stuck are %q", i+1, stuck)
				break
			}
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, c := range s.conns {
			c.Close()
		}
		s.wg.Wait()
	})
}
