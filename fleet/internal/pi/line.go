package pi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/mqttlink"
	"pithings/mqttlink/packet"
)

// Line is a Pi's connection as flows of this process use it. It is a mqttlink.Client without
// an outbox: what cannot be sent now is refused.
type Line struct {
	d *Device
	// do is engine.Engine.Do for the Pi.
	do func(func(now time.Duration, out engine.Out))

	mu       sync.Mutex
	handlers map[string]mqttlink.Handler // by topic
}

var (
	_ mqttlink.Client = (*Line)(nil)
	_ mqttlink.Inline = (*Line)(nil)
)

// Line makes the Pi's connection for flows, before the first session.
func (d *Device) Line(do func(func(now time.Duration, out engine.Out))) *Line {
	d.line = &Line{d: d, do: do, handlers: map[string]mqttlink.Handler{}}
	return d.line
}

// Errors of a line.
var (
	errOffline    = errors.New("the Pi is not connected")
	errBusy       = errors.New("the broker has not acknowledged what the Pi sent before")
	errSubscribed = errors.New("a virtual Pi has one handler for a topic")
)

// Publish implements mqttlink.Client.
func (l *Line) Publish(_ context.Context, m mqttlink.Message) error {
	err := errOffline
	l.do(func(_ time.Duration, out engine.Out) {
		switch {
		case !l.d.online:
		case out.Free() == 0:
			err = errBusy
		default:
			out.Publish(packet.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain})
			err = nil
		}
	})
	return err
}

// SubscribeInline implements mqttlink.Inline. The Pi has subscribed to the topic already.
func (l *Line) SubscribeInline(topic string, _ byte, h mqttlink.Handler) (cancel func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handlers[topic] != nil {
		return nil, errSubscribed
	}
	l.handlers[topic] = h
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.handlers, topic)
	}, nil
}

// Subscribe implements mqttlink.Client. Handlers have to return at once.
func (l *Line) Subscribe(topic string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	return l.SubscribeInline(topic, qos, h)
}

// SubscribeAll implements mqttlink.Client.
func (l *Line) SubscribeAll(topics []string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	var all []func()
	cancel = func() {
		for _, c := range all {
			c()
		}
	}
	for _, t := range topics {
		one, err := l.SubscribeInline(t, qos, h)
		if err != nil {
			cancel()
			return nil, err
		}
		all = append(all, one)
	}
	return cancel, nil
}

// receive hands a message to the flows.
func (l *Line) receive(m *packet.Message) {
	l.mu.Lock()
	h := l.handlers[m.Topic]
	l.mu.Unlock()
	if h != nil {
		h(context.Background(), mqttlink.Message{Topic: m.Topic, Payload: slices.Clone(m.Payload), QoS: m.QoS, Retain: m.Retain, Dup: m.Dup, PacketID: m.ID})
	}
}
