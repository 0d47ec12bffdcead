package rogue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/mqttlink/packet"
)

// dies connects the device with a will and cuts the connection. It then connects it again: at the
// latest then the broker knows that the first connection is lost.
func (p *probe) dies(ctx context.Context, will *packet.Message) (*conn, Finding, bool) {
	l := p.device.login()
	l.Will = will
	first, err := p.enterAs(ctx, l)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return nil, stopped(Refused, fmt.Sprintf("CONNACK %d", refused.code)), false
	case errors.Is(err, errClosed):
		return nil, stopped(Closed, ""), false
	case err != nil:
		return nil, lacking(err), false
	}
	first.cut()
	<-first.ended
	c, err := p.enter(ctx)
	if err != nil {
		return nil, lacking(err), false
	}
	p.answered(ctx, c)
	return c, Finding{}, true
}

// willAt finds out whether a will on a topic of the witness is published.
func (p *probe) willAt(ctx context.Context, topic string, payload func(mark string) []byte) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	if _, err := p.enter(ctx); err != nil { // else every will would be refused
		return lacking(err)
	}
	w, err := p.witness.at(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	c, f, ok := p.dies(ctx, &packet.Message{Topic: topic, Payload: payload(mark), QoS: 1})
	if !ok {
		return f
	}
	arrived, err := p.arrives(ctx, w, c, mark)
	switch {
	case arrived:
		return through(fmt.Sprintf("%s got the will of %s on %s", p.witness.device.Name, p.device.Name, topic))
	case err != nil:
		return lacking(err)
	}
	return stopped(Dropped, topic+": the login is accepted, and the will is not published")
}

func willForeign(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	return p.willAt(ctx, p.witness.home+own, plain)
}

// willShadow has a will set the witness's shadow.
func willShadow(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	shadow := shadowOf(p.witness.device.Name)
	if f, ok := p.watch(ctx, shadow, "get"); !ok {
		return f
	}
	return p.willAt(ctx, shadow+"update", token)
}

// willRetained has a will that is retained on a topic of the witness.
func willRetained(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	if _, err := p.enter(ctx); err != nil {
		return lacking(err)
	}
	mark := p.mark()
	topic := p.witness.home + own
	p.litter = append(p.litter, scrap{topic, true})
	if _, f, ok := p.dies(ctx, &packet.Message{Topic: topic, Payload: plain(mark), QoS: 1, Retain: true}); !ok {
		return f
	}
	kept, err := p.comes(ctx, func() (bool, error) { return p.witness.finds(ctx, topic, mark) })
	switch {
	case kept:
		return through(fmt.Sprintf("who subscribes to %s gets it, whenever that is", topic))
	case err != nil:
		return lacking(err)
	}
	return stopped(Dropped, topic+": the login is accepted, and nothing is kept")
}

// comes asks again until something has come, or it has had its time.
func (p *probe) comes(ctx context.Context, is func() (bool, error)) (bool, error) {
	for end := time.Now().Add(2 * p.times.settle); ; {
		yes, err := is()
		if yes || err != nil || !time.Now().Before(end) {
			return yes, err
		}
	}
}

// willHuge has the longest will that MQTT can express, on the device's own topics. It is
// retained, so that the device itself finds it.
func willHuge(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	if _, err := p.enter(ctx); err != nil {
		return lacking(err)
	}
	const most = 65535
	mark, topic := p.mark(), p.home+own
	p.litter = append(p.litter, scrap{topic, false})
	c, f, ok := p.dies(ctx, &packet.Message{Topic: topic, Payload: []byte(mark + strings.Repeat("x", most-len(mark))), QoS: 1, Retain: true})
	if !ok {
		return f
	}
	kept, err := p.comes(ctx, func() (bool, error) {
		if granted, err := c.granted(ctx, topic); err != nil || !granted {
			return false, errors.Join(err, errors.New("the device may not subscribe to its own "+topic))
		}
		return c.await(ctx, p.times.settle, func(in *inbox) bool { return in.heard(mark) }), ctx.Err()
	})
	switch {
	case kept:
		return through(fmt.Sprintf("a will of %d bytes was published", most))
	case err != nil:
		return lacking(err)
	}
	return stopped(Dropped, "the login is accepted, and the will is not published")
}

// willBroken has a will that no broker may take: its topic has a wildcard, or its QoS is 3.
func willBroken(ctx context.Context, p *probe) Finding {
	with := func(will *packet.Message) []byte {
		l := p.device.login()
		l.Will = will
		return packet.AppendConnect(nil, &l)
	}
	return p.beforeLogin(ctx, []variant{
		{"a will with a wildcard", with(&packet.Message{Topic: "pithings-rogue/#", Payload: []byte(markPrefix)})},
		{"a will with QoS 3", with(&packet.Message{Topic: own, QoS: 3, Payload: []byte(markPrefix)})},
	})
}
