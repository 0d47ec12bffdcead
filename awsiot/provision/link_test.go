package provision

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// lan is a broker with a cloud behind it, and a network that can be cut.
type lan struct {
	b *broker.Broker

	mu    sync.Mutex
	conns []net.Conn
	down  bool
	wg    sync.WaitGroup
}

// startLAN starts both. served is called with the topic of each request before it is answered.
func startLAN(t *testing.T, c *cloud, served func(*lan, string)) *lan {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	n := &lan{b: b}
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = b.Endpoint(), "cloud"
	o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }
	service, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	filters := []string{createFromCSR, createKeys, provisionTopic("+")}
	if _, err := service.SubscribeAll(filters, 1, func(ctx context.Context, m mqttlink.Message) {
		served(n, m.Topic)
		if to, reply := c.answer(m.Topic, m.Payload); to != "" {
			if err := service.Publish(ctx, mqttlink.Message{Topic: to, Payload: []byte(reply), QoS: 1}); err != nil {
				t.Error(err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := service.Await(ctx, filters...); err != nil {
		t.Fatal(err)
	}
	return n
}

// options are those of a device.
func (n *lan) options() mqttlink.Options {
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = n.b.Endpoint(), "claim"
	o.Backoff = mqttlink.Backoff{Min: 10 * time.Millisecond, Max: 10 * time.Millisecond}
	o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.down {
			return nil, errors.New("the network is down")
		}
		c, err := n.b.Dial(ctx)
		if err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		n.conns = append(n.conns, far)
		for _, way := range [][2]net.Conn{{far, c}, {c, far}} {
			n.wg.Go(func() {
				io.Copy(way[0], way[1]) // until the end of either
				far.Close()
				c.Close()
			})
		}
		return near, nil
	}
	return o
}

// cut ends all connections of devices.
func (n *lan) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// Over a real connection, which is cut while the first request or the second is being answered, the
// run ends well by itself.
func TestOverALink(t *testing.T) {
	for _, cut := range []string{"never", "create-from-csr", "provision/json"} {
		t.Run(cut, func(t *testing.T) {
			c, state, once := newCloud(t), t.TempDir(), sync.Once{}
			n := startLAN(t, c, func(n *lan, topic string) {
				if strings.Contains(topic, cut) {
					once.Do(n.cut)
				}
			})
			conn, err := Connect(t.Context(), n.options())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r := request1(nil, false)
			r.Wait = 500 * time.Millisecond
			d, err := run(t.Context(), state, r, realDisk{}, conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.one(d); err != nil {
				t.Error(err)
			}
		})
	}
}

// A broker that takes no connection is an error after three attempts, long before the time is over.
func TestNoConnection(t *testing.T) {
	n := &lan{b: startLAN(t, newCloud(t), func(*lan, string) {}).b, down: true}
	conn, err := Connect(t.Context(), n.options())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = run(t.Context(), t.TempDir(), request1(nil, false), realDisk{}, conn)
	if err == nil || !strings.Contains(err.Error(), "no connection after 3 attempts: ") || !strings.Contains(err.Error(), "the network is down") {
		t.Errorf("%v", err)
	}
	if err := conn.Online(t.Context()); err == nil {
		t.Error("it is online")
	}
}

// A broker that says nothing ends with the time of the command.
func TestConnectionEndsWithItsTime(t *testing.T) {
	n := startLAN(t, newCloud(t), func(*lan, string) {})
	o := n.options()
	o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("timed out (--timeout)"))
	defer cancel()
	conn, err := Connect(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Online(ctx); err == nil || !strings.Contains(err.Error(), "--timeout") {
		t.Errorf("%v", err)
	}
}
