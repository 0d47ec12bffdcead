package broker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/at-wat/mqtt-go"
)

// The cases of Eclipse Paho's interoperability suite for MQTT 3.1.1
// (paho.mqtt.testing, interoperability/client_test.py), with a client library that
// shares nothing with the broker, and, where a library would not misbehave as the
// suite does, packet by packet.

// client is a client of github.com/at-wat/mqtt-go and what it has received.
type client struct {
	*testing.T
	*mqtt.BaseClient
	mu   sync.Mutex
	got  []mqtt.Message
	more chan struct{}
}

// dialClient connects a client; present is whether the broker had a session.
func dialClient(t *testing.T, b *Broker, id string, o ...mqtt.ConnectOption) (c *client, present bool) {
	t.Helper()
	c, present, err := tryClient(t, b, id, nil, o...)
	if err != nil {
		t.Fatalf("client %q: %v", id, err)
	}
	return c, present
}

func tryClient(t *testing.T, b *Broker, id string, d []mqtt.DialOption, o ...mqtt.ConnectOption) (*client, bool, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	base, err := mqtt.DialContext(ctx, b.Endpoint(), d...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { base.Close() })
	c := &client{T: t, BaseClient: base, more: make(chan struct{}, 1)}
	c.Handle(mqtt.HandlerFunc(func(m *mqtt.Message) {
		c.mu.Lock()
		c.got = append(c.got, *m)
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
	}))
	present, err := base.Connect(ctx, id, o...)
	return c, present, err
}

func (c *client) do(what string, f func(context.Context) error) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	if err := f(ctx); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

func (c *client) publish(topic, payload string, qos mqtt.QoS, retain bool) {
	c.Helper()
	c.do("publish "+topic, func(ctx context.Context) error {
		return c.Publish(ctx, &mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain})
	})
}

func (c *client) subscribe(qos mqtt.QoS, filters ...string) (granted []mqtt.QoS) {
	c.Helper()
	var subs []mqtt.Subscription
	for _, f := range filters {
		subs = append(subs, mqtt.Subscription{Topic: f, QoS: qos})
	}
	c.do("subscribe", func(ctx context.Context) error {
		got, err := c.Subscribe(ctx, subs...)
		for _, s := range got {
			granted = append(granted, s.QoS)
		}
		return err
	})
	return granted
}

func (c *client) disconnect() {
	c.Helper()
	c.do("disconnect", c.Disconnect)
}

// receive waits for n messages and returns them as "topic payload".
func (c *client) receive(n int) (list []string) {
	c.Helper()
	limit := time.After(patience)
	for {
		c.mu.Lock()
		if len(c.got) >= n {
			for _, m := range c.got {
				list = append(list, m.Topic+" "+string(m.Payload))
			}
			c.got = nil
			c.mu.Unlock()
			return list
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-limit:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.Fatalf("%d messages, want %d: %v", len(c.got), n, c.got)
		}
	}
}

// only waits for messages up to a marker, which is sent behind all others, and fails
// unless they are the wanted ones, in any order.
func (c *client) only(want ...string) {
	c.Helper()
	c.publish("marker/"+c.Name(), "", 2, false) // with less it would pass by those of QoS 2 here
	var got []string
	for {
		for _, m := range c.receive(1) {
			if m == "marker/"+c.Name()+" " {
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					c.Errorf("received %q, want %q", got, want)
				}
				return
			}
			got = append(got, m)
		}
	}
}

// test_basic
func TestPahoBasic(t *testing.T) {
	b := start(t)
	c, present := dialClient(t, b, "myclientid", mqtt.WithCleanSession(true))
	if present {
		t.Error("a new client has a session")
	}
	if g := c.subscribe(2, "TopicA"); !slices.Equal(g, []mqtt.QoS{2}) {
		t.Errorf("granted %v", g)
	}
	c.publish("TopicA", "qos 0", 0, false)
	c.publish("TopicA", "qos 1", 1, false)
	c.publish("TopicA", "qos 2", 2, false)
	if got := c.receive(3); !slices.Equal(got, []string{"TopicA qos 0", "TopicA qos 1", "TopicA qos 2"}) {
		t.Errorf("received %q", got)
	}
	c.disconnect()

	// a second CONNECT ends the connection [MQTT-3.1.0-2]
	w := dialWire(t, b.Addr())
	w.connect("myclientid", 2)
	w.send(connectPacket(4, 2, "myclientid"))
	w.closed()
	// another protocol's name does, too
	w = dialWire(t, b.Addr())
	w.send(frame(0x10, str("hj"), []byte{4, 2, 0, 60}, str("myclientid")))
	w.closed()
}

// test_retained_messages
func TestPahoRetainedMessages(t *testing.T) {
	b := start(t)
	c, _ := dialClient(t, b, "myclientid", mqtt.WithCleanSession(true))
	c.publish("TopicA/B", "qos 0", 0, true)
	c.publish("Topic/C", "qos 1", 1, true)
	c.publish("TopicA/C", "qos 2", 2, true)
	c.subscribe(2, "+/+")
	got := c.receive(3)
	slices.Sort(got)
	if !slices.Equal(got, []string{"Topic/C qos 1", "TopicA/B qos 0", "TopicA/C qos 2"}) {
		t.Errorf("received %q", got)
	}
	// cleared by empty ones [MQTT-3.3.1-10]
	for _, topic := range []string{"TopicA/B", "Topic/C", "TopicA/C"} {
		c.publish(topic, "", 1, true)
	}
	c.publish("TopicA", "parent", 1, true)
	c.disconnect()
	c, _ = dialClient(t, b, "myclientid", mqtt.WithCleanSession(true))
	c.subscribe(2, "+/+", "TopicA/#", "marker/#") // "TopicA/#" is the filter of "TopicA", too [4.7.1.2]
	c.only("TopicA parent")
}

// test_zero_length_clientid
func TestPahoZeroLengthClientID(t *testing.T) {
	b := start(t)
	_, _, err := tryClient(t, b, "", nil, mqtt.WithCleanSession(false))
	var refused *mqtt.ConnectionError
	if !errors.As(err, &refused) || refused.Code != 2 { // identifier rejected [MQTT-3.1.3-8]
		t.Errorf("without a clean session: %v", err)
	}
	if _, _, err := tryClient(t, b, "", nil, mqtt.WithCleanSession(true)); err != nil {
		t.Errorf("with a clean session: %v", err)
	}
}

// test_offline_message_queueing
func TestPahoOfflineMessageQueueing(t *testing.T) {
	b := start(t)
	c, _ := dialClient(t, b, "offline", mqtt.WithCleanSession(false))
	c.subscribe(2, "+/+")
	c.disconnect()
	awaitAbsent(t, b)
	other, _ := dialClient(t, b, "other", mqtt.WithCleanSession(true))
	other.publish("TopicA/B", "qos 0", 0, false)
	other.publish("Topic/C", "qos 1", 1, false)
	other.publish("TopicA/C", "qos 2", 2, false)
	other.disconnect()
	c, present := dialClient(t, b, "offline", mqtt.WithCleanSession(false))
	if !present {
		t.Error("no session")
	}
	if got := c.receive(2); !slices.Equal(got, []string{"Topic/C qos 1", "TopicA/C qos 2"}) {
		t.Errorf("received %q", got) // QoS 0 may be queued, too; it is not
	}
}

// awaitAbsent waits until a client is absent with its session kept.
func awaitAbsent(t *testing.T, b *Broker) {
	t.Helper()
	for deadline := time.Now().Add(patience); b.Stats().Absent == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the client is still connected")
		}
		time.Sleep(time.Millisecond) // the end of a connection cannot be awaited from outside
	}
}

// test_overlapping_subscriptions
func TestPahoOverlappingSubscriptions(t *testing.T) {
	b := start(t)
	c, _ := dialClient(t, b, "overlap", mqtt.WithCleanSession(true))
	c.subscribe(2, "TopicA/#", "marker/#")
	c.subscribe(1, "TopicA/+")
	c.publish("TopicA/C", "overlapping", 2, false)
	c.only("TopicA/C overlapping") // once, with the higher QoS [MQTT-3.3.5-1]
}

// test_keepalive
func TestPahoKeepalive(t *testing.T) {
	b := start(t)
	other, _ := dialClient(t, b, "other", mqtt.WithCleanSession(true))
	other.subscribe(2, "will/topic")
	w := dialWire(t, b.Addr())
	began := time.Now()
	w.send(frame(0x10, str("MQTT"), []byte{4, 2 | 4, 0, 1}, str("sleeper"), str("will/topic"), str("keepalive expiry"))) // 1 s
	w.await(2)
	w.closed()
	if took := time.Since(began); took < time.Second || took > 5*time.Second {
		t.Errorf("closed after %v, want one and a half keep-alives", took)
	}
	if got := other.receive(1); !slices.Equal(got, []string{"will/topic keepalive expiry"}) {
		t.Errorf("received %q", got)
	}
}

// test_redelivery_on_reconnect
func TestPahoRedeliveryOnReconnect(t *testing.T) {
	b := start(t)
	w := dialWire(t, b.Addr())
	w.connect("redeliver", 0)
	w.subscribe(2, "TopicA/#")
	other, _ := dialClient(t, b, "other", mqtt.WithCleanSession(true))
	other.publish("TopicA/1", "one", 1, false)
	other.publish("TopicA/2", "two", 2, false)
	other.publish("TopicA/3", "three", 2, false)
	for range 3 { // received, not acknowledged
		w.await(3)
	}
	w.Close()

	w = dialWire(t, b.Addr())
	if present := w.connect("redeliver", 0); present != 1 {
		t.Error("no session")
	}
	var third uint16
	for i, want := range []string{"one", "two", "three"} { // in order [MQTT-4.6.0-1], marked as duplicates [MQTT-3.3.1-1]
		p := w.await(3)
		_, payload, id := p.message()
		if payload != want || p.flags&8 == 0 || id == 0 {
			t.Errorf("message %d: %q, id %d, flags %04b", i, payload, id, p.flags)
		}
		third = id
	}
	// after PUBREC it is PUBREL that comes again [MQTT-4.3.3-1]
	w.send([]byte{0x50, 2, byte(third >> 8), byte(third)})
	if p := w.await(6); p.flags != 2 {
		t.Errorf("PUBREL with flags %04b", p.flags)
	}
	w.Close()
	w = dialWire(t, b.Addr())
	w.connect("redeliver", 0)
	w.await(3)
	w.await(3)
	if p, err := w.next(); err != nil || p.kind != 6 || p.body[1] != byte(third) {
		t.Errorf("third: %+v, %v, want its PUBREL", p, err)
	}
	w.send([]byte{0x70, 2, byte(third >> 8), byte(third)})
}

// test_will_message
func TestPahoWillMessage(t *testing.T) {
	b := start(t)
	other, _ := dialClient(t, b, "other", mqtt.WithCleanSession(false))
	other.subscribe(2, "will/topic", "marker/#")
	other.only() // what follows the SUBACK, retained messages, is through: else the will is among them, too
	c, _ := dialClient(t, b, "dies", mqtt.WithCleanSession(true), mqtt.WithWill(&mqtt.Message{Topic: "will/topic", Payload: []byte("client disconnected"), Retain: true}))
	c.Close() // without DISCONNECT
	if got := other.receive(1); !slices.Equal(got, []string{"will/topic client disconnected"}) {
		t.Errorf("received %q", got)
	}
	c, _ = dialClient(t, b, "leaves", mqtt.WithCleanSession(true), mqtt.WithWill(&mqtt.Message{Topic: "will/topic", Payload: []byte("not this")}))
	c.disconnect()
	<-c.Done()
	other.only()
}

// test_dollar_topics
func TestPahoDollarTopics(t *testing.T) {
	b := start(t)
	c, _ := dialClient(t, b, "dollar", mqtt.WithCleanSession(true))
	c.subscribe(2, "+/+", "#")
	c.publish("$TopicA", "", 1, false) // [MQTT-4.7.2-1]
	c.publish("$TopicA/B", "retained", 1, true)
	c.subscribe(2, "#")
	c.only()
	c.subscribe(0, "$SYS/broker/version")
	c.receive(1)
}

// test_unsubscribe
func TestPahoUnsubscribe(t *testing.T) {
	b := start(t)
	c, _ := dialClient(t, b, "unsub", mqtt.WithCleanSession(true))
	c.subscribe(2, "TopicA", "TopicA/B", "Topic/C", "marker/#")
	c.do("unsubscribe", func(ctx context.Context) error { return c.Unsubscribe(ctx, "TopicA") })
	c.publish("TopicA", "", 1, false)
	c.publish("TopicA/B", "", 1, false)
	c.publish("Topic/C", "", 1, false)
	c.only("TopicA/B ", "Topic/C ")
}

// test_subscribe_failure: the suite asks for a topic that the server refuses, which
// users make possible.
func TestPahoSubscribeFailure(t *testing.T) {
	b := startWith(t, Options{AllowAnonymous: true, Users: []User{{Name: "anonymous", Publish: []string{"#"}, Subscribe: []string{"TopicA/#"}}}})
	w := dialWire(t, b.Addr())
	w.connect("refused", 2)
	if codes := w.subscribe(2, "test/nosubscribe", "TopicA/+", "#"); !slices.Equal(codes, []byte{0x80, 2, 0x80}) {
		t.Errorf("SUBACK % x", codes) // [MQTT-3.9.3-2]
	}
}
