package rogue

import (
	"context"
	"fmt"
	"strings"

	"pithings/mqttlink/packet"
)

// variant is one way to break the protocol.
type variant struct {
	name string
	raw  []byte
}

// beforeLogin sends each variant as the first bytes of a connection. None of them is a login,
// and the witness must be served all the same.
func (p *probe) beforeLogin(ctx context.Context, all []variant) Finding {
	if _, err := p.enter(ctx); err != nil { // else all would be stopped
		return lacking(err)
	}
	var in, open []string
	for _, v := range all {
		p.end()
		c, err := p.reach(ctx)
		if err != nil {
			return lacking(err)
		}
		_ = c.send(v.raw) // a broker may close the connection before the last byte
		if c.await(ctx, p.times.settle, func(in *inbox) bool { return in.connack == 0 }) {
			in = append(in, v.name)
		} else if !c.closed() {
			open = append(open, v.name)
		}
		if ctx.Err() != nil {
			return lacking(ctx.Err())
		}
	}
	if p.witness != nil {
		if err := p.witness.ping(ctx); err != nil {
			return starved(ctx, err)
		}
	} else if _, err := p.enter(ctx); err != nil {
		return through("after it no client comes in: " + err.Error())
	}
	switch {
	case len(in) > 0:
		return through("let in: " + strings.Join(in, ", "))
	case len(open) == len(all):
		return stopped(Ignored, "the broker waits for the rest")
	case len(open) > 0:
		return stopped(Closed, "except where it waits for the rest: "+strings.Join(open, ", "))
	}
	return stopped(Closed, "")
}

// afterLogin sends each variant on a session, which the broker must end (MQTT 3.1.1 section 4.8).
func (p *probe) afterLogin(ctx context.Context, all []variant) Finding {
	var served []string
	for _, v := range all {
		p.end()
		c, err := p.enter(ctx)
		if err != nil {
			return lacking(err)
		}
		_ = c.send(v.raw) // a broker may close the connection before the last byte
		if p.answered(ctx, c) {
			served = append(served, v.name)
		} else if !c.closed() {
			return lacking(errSilent)
		}
		if ctx.Err() != nil {
			return lacking(ctx.Err())
		}
	}
	if len(served) > 0 {
		return through("the session continues after: " + strings.Join(served, ", "))
	}
	return stopped(Closed, "")
}

const garbageRounds = 10

// garbage sends random bytes.
func garbage(ctx context.Context, p *probe) Finding {
	all := make([]variant, garbageRounds)
	for i := range all {
		b := make([]byte, 1+p.random.IntN(1000))
		for j := range b {
			b[j] = byte(p.random.Uint32())
		}
		all[i] = variant{fmt.Sprintf("round %d", i+1), b}
	}
	return p.beforeLogin(ctx, all)
}

// connect is the device's CONNECT.
func (p *probe) connect() []byte {
	l := p.device.login()
	return packet.AppendConnect(nil, &l)
}

func halfPacket(ctx context.Context, p *probe) Finding {
	b := p.connect()
	return p.beforeLogin(ctx, []variant{{"one byte", b[:1]}, {"a half CONNECT", b[:len(b)/2]}, {"a CONNECT without its last byte", b[:len(b)-1]}})
}

// wrongLength sends CONNECTs whose remaining length is not theirs.
func wrongLength(ctx context.Context, p *probe) Finding {
	b := p.connect()
	_, _, size, _ := packet.Header(b) // ours
	body := b[size:]
	with := func(header ...byte) []byte { return append(header, body...) }
	return p.beforeLogin(ctx, []variant{
		{"a length of five bytes", with(packet.Connect<<4, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"a length of 0", with(packet.Connect<<4, 0)},
		{"a length that cuts the client id", with(packet.Connect<<4, 13)},
		{"a length of 256 MiB", with(packet.Connect<<4, 0xff, 0xff, 0xff, 0x7f)},
	})
}

// publishFirst publishes before the login.
func publishFirst(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	w, err := p.witness.at(ctx)
	if err != nil {
		return lacking(err)
	}
	c, err := p.reach(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	topic := p.witness.home + own
	_ = c.post(ctx, packet.Message{Topic: topic, Payload: plain(mark)}) // a broker may close the connection before
	closed := p.closes(ctx, c)
	arrived, err := p.arrives(ctx, w, c, mark)
	switch {
	case arrived:
		return through(p.witness.device.Name + " got it on " + topic)
	case err != nil:
		return lacking(err)
	case closed || p.closes(ctx, c): // by then the broker has worked through it
		return stopped(Closed, "")
	}
	return stopped(Dropped, "")
}

func secondConnect(ctx context.Context, p *probe) Finding {
	return p.afterLogin(ctx, []variant{{"a second CONNECT", p.connect()}})
}

func reservedBits(ctx context.Context, p *probe) Finding {
	subscribe := packet.AppendSubscribe(nil, 1, []packet.Filter{{Topic: p.home + own}})
	subscribe[0] &^= 0x0f
	qos3 := packet.AppendPublish(nil, &packet.Message{Topic: p.home + own}, 0)
	qos3[0] |= 6
	return p.afterLogin(ctx, []variant{
		{"packet type 0", []byte{0, 0}}, {"packet type 15", []byte{0xf0, 0}},
		{"a SUBSCRIBE without its bits", subscribe}, {"a PUBLISH with QoS 3", qos3},
		{"a PINGREQ with a length", []byte{packet.Pingreq << 4, 2, 0, 0}},
	})
}

// badTopic publishes on each of some topics, which no broker may deliver.
func (p *probe) badTopic(ctx context.Context, topics map[string]string) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	worst := notTested("there is no topic")
	var delivered []string
	for _, name := range sorted(topics) {
		f := p.atHome(ctx, topics[name], nil)
		p.end()
		if f.Verdict == Through {
			delivered = append(delivered, name)
		}
		if f.rank() < worst.rank() {
			worst = f
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(delivered) > 0 {
		return through("delivered: " + strings.Join(delivered, ", "))
	}
	return worst
}

func invalidUTF8(ctx context.Context, p *probe) Finding {
	return p.badTopic(ctx, map[string]string{
		"bytes that are no UTF-8": p.home + "\xff\xfe", "a surrogate": p.home + "\xed\xa0\x80", "an overlong slash": p.home + "\xc0\xaf", "U+0000": p.home + "a\x00b",
	})
}

func wildcardTopic(ctx context.Context, p *probe) Finding {
	return p.badTopic(ctx, map[string]string{"#": p.home + "#", "+": p.home + "+"})
}
