package awsiot

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// cloud is a broker that behaves as AWS documents: it closes the connection
// without a word upon a breach or a topic its policy does not allow, discards what
// is published above its rate, answers CONNACK 7 where MQTT says 5, and gives a
// client id to the client that connected last.
type cloud struct {
	forbidden []string // filters of topics that the policy does not allow
	noConnect bool     // the policy does not allow iot:Connect

	mu        sync.Mutex
	holders   map[string]net.Conn
	connected map[string]time.Time
	connects  int
	got       []*packets.PublishPacket
	at        []time.Time
	discarded int
	breaches  []string
	wg        sync.WaitGroup
}

// dial is a mqttlink.Options.Dial.
func (c *cloud) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	c.wg.Go(func() {
		defer there.Close()
		c.serve(there)
	})
	return here, nil
}

// serve handles one connection until it ends.
func (c *cloud) serve(conn net.Conn) {
	p, err := packets.ReadPacket(conn)
	if err != nil {
		return
	}
	hello := p.(*packets.ConnectPacket)
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.ReturnCode = c.admit(hello, conn)
	ack.Write(conn)
	if ack.ReturnCode != 0 {
		return
	}
	var recent []time.Time
	filters := map[string]bool{}
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.PublishPacket:
			if why := c.breach(p); why != "" {
				c.note(func() { c.breaches = append(c.breaches, why) })
				return
			}
			now := time.Now()
			for len(recent) > 0 && now.Sub(recent[0]) >= time.Second {
				recent = recent[1:]
			}
			if len(recent) >= 100 {
				c.note(func() { c.discarded++ })
				continue
			}
			recent = append(recent, now)
			c.note(func() { c.got, c.at = append(c.got, p), append(c.at, now) })
			if p.Qos == 1 {
				a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				a.MessageID = p.MessageID
				a.Write(conn)
			}
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, p.Qoss
			for _, f := range p.Topics {
				filters[f] = true
				if c.denied(f) {
					return
				}
			}
			if len(p.Topics) > 8 || len(filters) > 50 {
				c.note(func() { c.breaches = append(c.breaches, "subscriptions") })
				return
			}
			a.Write(conn)
		case *packets.PingreqPacket:
			packets.NewControlPacket(packets.Pingresp).Write(conn)
		case *packets.DisconnectPacket:
			return
		}
	}
}

// admit returns the code for CONNACK, and kicks who had the client id.
func (c *cloud) admit(p *packets.ConnectPacket, conn net.Conn) byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, now := p.ClientIdentifier, time.Now()
	last, again := c.connected[id]
	switch {
	case c.noConnect:
		return 7
	case len(id) > 128, strings.HasPrefix(id, "$"):
		c.breaches = append(c.breaches, "client id")
		return 2
	case again && now.Sub(last) < time.Second:
		c.breaches = append(c.breaches, "connect rate")
		return 3
	}
	if c.holders == nil {
		c.holders, c.connected = map[string]net.Conn{}, map[string]time.Time{}
	}
	if old := c.holders[id]; old != nil {
		old.Close()
	}
	c.holders[id], c.connected[id] = conn, now
	c.connects++
	return 0
}

// breach says why the connection is closed upon p, or "".
func (c *cloud) breach(p *packets.PublishPacket) string {
	topic := p.TopicName
	if rest, ok := strings.CutPrefix(topic, "$aws/rules/"); ok {
		_, topic, _ = strings.Cut(rest, "/")
	}
	switch {
	case len(p.Payload) > 131072:
		return "payload"
	case len(topic) > 256:
		return "topic length"
	case strings.Count(topic, "/") > 7:
		return "topic levels"
	case p.Qos == 2:
		return "QoS 2"
	case strings.HasPrefix(topic, "$") && (p.Retain || !strings.HasPrefix(topic, "$aws/")):
		return "reserved topic"
	case c.denied(p.TopicName):
		return "policy"
	}
	return ""
}

func (c *cloud) denied(name string) bool {
	for _, f := range c.forbidden {
		if topic.Match(f, name) {
			return true
		}
	}
	return false
}

func (c *cloud) note(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// payloads returns what has been published, in order, by topic.
func (c *cloud) payloads(topic string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, p := range c.got {
		if p.TopicName == topic {
			all = append(all, string(p.Payload))
		}
	}
	return all
}

// busiest returns how many messages the busiest second held.
func (c *cloud) busiest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most, first := 0, 0
	for i, t := range c.at {
		for t.Sub(c.at[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

const brokerURL = "mqtt://a1b2c3-ats.iot.eu-west-1.amazonaws.com:1883"

// options are those of a link to c as the agent makes them.
func (c *cloud) options(t *testing.T) mqttlink.Options {
	t.Helper()
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Dial = brokerURL, "porch", c.dial
	var ok bool
	if o.Limits, o.Drain, ok = Limits(o.Endpoint); !ok {
		t.Fatal("the endpoint was not recognised")
	}
	return o
}

// start runs a link until stop is called, which waits for its end and the broker's.
func (c *cloud) start(t *testing.T, o mqttlink.Options) (l *mqttlink.Link, stop func()) {
	t.Helper()
	l, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	return l, func() {
		cancel()
		<-done
		c.wg.Wait()
	}
}

func publish(t *testing.T, l *mqttlink.Link, topic string, qos byte, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if err := l.Publish(t.Context(), mqttlink.Message{Topic: topic, Payload: []byte(p), QoS: qos}); err != nil {
			t.Fatal(err)
		}
	}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines returns those that hold a word.
func (l *logBuffer) lines(word string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n") {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return found
}
