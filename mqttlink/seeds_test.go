package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/outbox"
)

// The settings that users know from AWSIoTPythonSDK v1 (configureAutoReconnectBackoffTime,
// configureOfflinePublishQueueing, configureDrainingFrequency,
// configureConnectDisconnectTimeout, configureMQTTOperationTimeout) mean the same here.
func TestSettingsOfTheSDK(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*Options)
		check func(*testing.T, *bench)
	}{
		{"back-off 1, 32, 20: waits double from 1 s to 32 s", func(o *Options) {
			o.Backoff = Backoff{Min: 1 * time.Second, Max: 32 * time.Second, Stable: 20 * time.Second}
		}, func(t *testing.T, b *bench) {
			b.refuse = 100
			b.run(t, 3*time.Minute)
			if want := []int{0, 1, 3, 7, 15, 31, 63, 95, 127, 159}; !slices.Equal(b.attempts, want) {
				t.Errorf("attempts at %v s, want %v", b.attempts, want)
			}
		}},
		{"back-off 1, 32, 20: a connection of 20 s starts it anew", func(o *Options) {
			o.Backoff = Backoff{Min: 1 * time.Second, Max: 32 * time.Second, Stable: 20 * time.Second}
		}, func(t *testing.T, b *bench) {
			b.refuse, b.hold = 4, []time.Duration{20 * time.Second, time.Hour}
			b.run(t, time.Minute)
			if want := []int{0, 1, 3, 7, 15, 36}; !slices.Equal(b.attempts, want) { // connected from 15 to 35
				t.Errorf("attempts at %v s, want %v", b.attempts, want)
			}
		}},
		{"back-off 1, 32, 20: one of 19 s does not", func(o *Options) {
			o.Backoff = Backoff{Min: 1 * time.Second, Max: 32 * time.Second, Stable: 20 * time.Second}
		}, func(t *testing.T, b *bench) {
			b.refuse, b.hold = 4, []time.Duration{19 * time.Second, time.Hour}
			b.run(t, 2*time.Minute)
			if want := []int{0, 1, 3, 7, 15, 50}; !slices.Equal(b.attempts, want) { // connected from 15 to 34, then 16 s
				t.Errorf("attempts at %v s, want %v", b.attempts, want)
			}
		}},
		{"the same are the defaults", func(o *Options) { o.Backoff = Backoff{} }, func(t *testing.T, b *bench) {
			b.refuse, b.hold = 4, []time.Duration{20 * time.Second, time.Hour}
			b.run(t, time.Minute)
			if want := []int{0, 1, 3, 7, 15, 36}; !slices.Equal(b.attempts, want) {
				t.Errorf("attempts at %v s, want %v", b.attempts, want)
			}
		}},
		{"queue -1: all", func(o *Options) { o.MaxQueued = -1 }, func(t *testing.T, b *bench) {
			b.publish(t, 5000, nil)
			b.run(t, time.Minute)
			if got := b.s.payloads(); !slices.Equal(got, numbers(5000)) {
				t.Errorf("%d arrived", len(got))
			}
		}},
		{"queue 0: none", func(o *Options) { o.MaxQueued = 0 }, func(t *testing.T, b *bench) {
			b.publish(t, 3, ErrOffline)
			b.run(t, time.Minute)
			if got := b.s.payloads(); len(got) > 0 {
				t.Errorf("arrived %v", got)
			}
		}},
		{"queue 100, drop newest: the first hundred", func(o *Options) { o.MaxQueued, o.Drop = 100, outbox.DropNewest }, func(t *testing.T, b *bench) {
			b.publish(t, 100, nil)
			b.publish(t, 50, ErrFull)
			b.run(t, time.Minute)
			if got := b.s.payloads(); !slices.Equal(got, numbers(100)) {
				t.Errorf("arrived %v", got)
			}
		}},
		{"queue 100, drop oldest: the last hundred", func(o *Options) { o.MaxQueued, o.Drop = 100, outbox.DropOldest }, func(t *testing.T, b *bench) {
			b.publish(t, 150, nil)
			b.run(t, time.Minute)
			if got := b.s.payloads(); !slices.Equal(got, numbers(150)[50:]) {
				t.Errorf("arrived %v", got)
			}
		}},
		{"draining 2 Hz: two a second, new ones behind", func(o *Options) { o.Drain = 2 }, func(t *testing.T, b *bench) {
			b.publish(t, 10, nil)
			time.AfterFunc(time.Second, func() { b.publish(t, 1, nil) })
			b.run(t, 3900*time.Millisecond)
			if got := b.s.payloads(); !slices.Equal(got, numbers(8)) { // at 0, 0.5, … 3.5 s
				t.Errorf("arrived within 3.9 s: %v", got)
			}
		}},
		{"time-out of the connection 10 s", func(o *Options) { o.ConnectTimeout = 10 * time.Second }, silentBroker},
		{"which is the default", func(*Options) {}, silentBroker},
		{"time-out of an operation 5 s", func(o *Options) { o.AckTimeout = 5 * time.Second }, forgetfulBroker},
		{"which is the default too", func(*Options) {}, forgetfulBroker},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{s: &script{}, start: time.Now()}
				o := options("broker:1883")
				o.Dial = b.dial
				tt.set(&o)
				o.Backoff.random, o.FlushTimeout = top, time.Millisecond
				o.OnState = func(s State) {
					if s == Offline {
						b.losses = append(b.losses, int(time.Since(b.start)/time.Second))
					}
				}
				var err error
				if b.l, err = New(o); err != nil {
					t.Fatal(err)
				}
				tt.check(t, b)
			})
		})
	}
}

// silentBroker checks how long the answer to CONNECT is waited for.
func silentBroker(t *testing.T, b *bench) {
	b.s.silent = true
	b.run(t, 20*time.Second)
	if want := []int{10}; !slices.Equal(b.losses, want) {
		t.Errorf("given up after %v s, want %v", b.losses, want)
	}
}

// forgetfulBroker checks how long an acknowledgement is waited for, and that the
// message is sent again.
func forgetfulBroker(t *testing.T, b *bench) {
	b.s.answer = func(session, _ int) bool { return session > 1 }
	b.publish(t, 1, nil)
	b.run(t, 20*time.Second)
	if want := []int{5}; !slices.Equal(b.losses, want) {
		t.Errorf("given up after %v s, want %v", b.losses, want)
	}
	if got := strings.Join(b.s.payloads(), ""); got != "00" {
		t.Errorf("arrived %s, want the message twice", got)
	}
}

// bench is a link, a broker, and what is to be seen of them.
type bench struct {
	s      *script
	l      *Link
	start  time.Time
	refuse int             // attempts without a listener
	hold   []time.Duration // how long the connections after these hold; for ever when it ends

	published int
	attempts  []int // at which second
	losses    []int
}

func (b *bench) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n := len(b.attempts)
	b.attempts = append(b.attempts, int(time.Since(b.start).Round(time.Second)/time.Second))
	if n < b.refuse {
		return nil, syscall.ECONNREFUSED
	}
	c, err := b.s.pipe(ctx, network, addr)
	if i := n - b.refuse; i < len(b.hold) {
		time.AfterFunc(b.hold[i], func() { c.Close() })
	}
	return c, err
}

// publish publishes n messages and wants an error of each.
func (b *bench) publish(t *testing.T, n int, want error) {
	t.Helper()
	for range n {
		err := b.l.Publish(t.Context(), Message{Topic: "t", Payload: []byte(fmt.Sprint(b.published)), QoS: 1})
		if !errors.Is(err, want) {
			t.Fatalf("message %d: %v, want %v", b.published, err, want)
		}
		b.published++
	}
}

// run runs the link for d.
func (b *bench) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := b.l.Run(ctx); err != nil {
		t.Error(err)
	}
	b.s.mu.Lock()
	for _, c := range b.s.conns {
		c.Close()
	}
	b.s.mu.Unlock()
	b.s.wg.Wait()
}
