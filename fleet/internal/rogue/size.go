package rogue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"pithings/mqttlink/packet"
)

// maxTopicBytes is the longest topic that MQTT can express.
const maxTopicBytes = 65535

// atHome publishes a message below the device's own topics and finds out whether it is delivered
// to the device itself.
func (p *probe) atHome(ctx context.Context, topic string, payload []byte) Finding {
	mark := p.mark()
	return p.rawAtHome(ctx, mark, packet.AppendPublish(nil, &packet.Message{Topic: topic, Payload: append([]byte(mark), payload...)}, 0))
}

// rawAtHome sends a packet, which carries a mark, and finds out whether it is delivered to the
// device's own subscription.
func (p *probe) rawAtHome(ctx context.Context, mark string, raw []byte) Finding {
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	if granted, err := c.granted(ctx, p.home+"#"); err != nil || !granted {
		return notTested("the device may not subscribe to its own " + p.home + "#")
	}
	if err = p.messages.wait(ctx); err == nil {
		err = c.send(raw)
	}
	heard := func(in *inbox) bool { return in.heard(mark) }
	if err == nil {
		p.answered(ctx, c)
	}
	switch {
	case c.await(ctx, p.times.settle, heard):
		return through("it was delivered")
	case c.closed() || errors.Is(err, errClosed):
		return stopped(Closed, "")
	case err != nil:
		return stopped(Refused, err.Error())
	case ctx.Err() != nil:
		return lacking(ctx.Err())
	}
	return stopped(Dropped, "nothing is delivered")
}

func hugeMessage(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	f := p.atHome(ctx, p.home+own, bytes.Repeat([]byte{'x'}, hugePayload))
	if f.Verdict == Through {
		f.Detail = fmt.Sprintf("a message of %d MiB was delivered", hugePayload>>20)
	}
	return f
}

func longTopic(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	f := p.atHome(ctx, p.home+strings.Repeat("x", maxTopicBytes-len(p.home)), nil)
	if f.Verdict == Through {
		f.Detail = fmt.Sprintf("a message on a topic of %d bytes was delivered", maxTopicBytes)
	}
	return f
}

// deepLevels are more levels than mosquitto takes (200) and AWS IoT Core (8).
const deepLevels = 1000

func deepTopic(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	f := p.atHome(ctx, p.home+strings.Repeat("x/", deepLevels)+"x", nil)
	if f.Verdict == Through {
		f.Detail = fmt.Sprintf("a message on a topic of more than %d levels was delivered", deepLevels)
	}
	return f
}
