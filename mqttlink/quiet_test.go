package mqttlink

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/outbox"
)

// A bad hour writes at most a hundred lines, whatever goes wrong in it.
func TestLinesInAnHour(t *testing.T) {
	refused := func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
	every := func(d time.Duration, f func(i int)) func() {
		return func() {
			for i := range int(time.Hour / d) {
				f(i)
				time.Sleep(d)
			}
		}
	}
	for _, tt := range []struct {
		name string
		s    *script
		set  func(*Options)
		do   func(l *Link) func() // what happens for an hour
		want string               // in the log
	}{
		{
			"no broker", &script{}, func(o *Options) { o.Dial = refused },
			func(*Link) func() { return func() { time.Sleep(time.Hour) } }, "no broker listens there",
		},
		{
			"the network comes and goes", &script{}, func(o *Options) {
				n, pipe := 0, o.Dial
				o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					n++
					switch n % 4 {
					case 0:
						return nil, syscall.ECONNREFUSED
					case 1:
						return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
					case 2:
						return nil, syscall.ENETUNREACH
					}
					c, err := pipe(ctx, network, addr)
					time.AfterFunc(15*time.Second, func() { c.Close() })
					return c, err
				}
			},
			func(l *Link) func() { return func() { time.Sleep(time.Hour) } }, "connected",
		},
		{
			"queue full, on many topics", &script{}, func(o *Options) { o.Dial, o.MaxQueued = refused, 5 },
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("t", i)})
				})
			}, "message not taken",
		},
		{
			"queue full, the oldest give way", &script{}, func(o *Options) { o.Dial, o.MaxQueued, o.Drop = refused, 5, outbox.DropOldest },
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("t", i)})
				})
			}, "drops the oldest messages",
		},
		{
			"messages grow too old", &script{}, func(o *Options) {
				o.Dial = refused
				o.Outbox = outbox.NewMemory(outbox.Limits{Age: time.Minute})
			},
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("t", i)})
				})
			}, "drops the oldest messages",
		},
		{
			"no queue", &script{}, func(o *Options) { o.Dial, o.MaxQueued = refused, 0 },
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("t", i)})
				})
			}, "queueing is switched off",
		},
		{
			"a forbidden topic for each message", &script{onPacket: func(p packets.ControlPacket, c net.Conn) {
				if p, ok := p.(*packets.PublishPacket); ok && strings.HasPrefix(p.TopicName, "f") {
					c.Close()
				}
			}}, nil,
			func(l *Link) func() {
				return every(time.Minute, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("f", i), QoS: 1})
				})
			}, "kept as a dead letter",
		},
		{
			"forbidden subscriptions", &script{suback: 0x80}, nil,
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					cancel, err := l.Subscribe(fmt.Sprint("f", i), 1, func(context.Context, Message) {})
					if err == nil {
						time.AfterFunc(500*time.Millisecond, cancel)
					}
				})
			}, "refuses the subscription",
		},
		{
			"a broker that never acknowledges", &script{answer: func(int, int) bool { return false }}, nil,
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: "t", QoS: 1})
				})
			}, "did not acknowledge",
		},
		{
			"lives that pass", &script{connack: 5}, nil,
			func(l *Link) func() {
				return every(time.Second, func(i int) {
					_ = l.Publish(context.Background(), Message{Topic: fmt.Sprint("t", i), QoS: 1, Expiry: time.Second})
				})
			}, "not authorised",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				o := options("broker:1883")
				o.Backoff = Backoff{}
				o.Log = log.logger()
				o.Dial = tt.s.pipe
				if tt.set != nil {
					tt.set(&o)
				}
				l, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- l.Run(ctx) }()
				tt.do(l)()
				cancel()
				<-done
				tt.s.wg.Wait()
				lines := log.lines()
				if len(lines) > 100 || !strings.Contains(strings.Join(lines, "\n"), tt.want) {
					t.Errorf("%d lines, of which some should hold %q:\n%s", len(lines), tt.want, strings.Join(lines, "\n"))
				}
				t.Logf("%d lines", len(lines))
			})
		})
	}
}
