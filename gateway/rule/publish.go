package rule

import (
	"context"
	"log/slog"

	"pithings/mqttlink"
	"pithings/pulse"
)

// publish hands a message over, and notes whether it was accepted.
func (p *program) publish(ctx context.Context, m mqttlink.Message) error {
	err := p.env.Link.Publish(ctx, m)
	pulse.Of(ctx).Move() // a call may publish many, each as slowly as the disk takes it
	accepted := mqttlink.Accepted(err)
	p.tally.message(accepted)
	if accepted {
		return nil
	}
	return err
}

// carried returns the QoS with which the connection carries what a rule asks for. It has no QoS
// 2: its outbox keeps a message until it is acknowledged, and may send it again after a loss.
// p.mu is held, or p is not at work yet.
func (p *program) carried(qos int) byte {
	if qos > 1 && !p.twice {
		p.twice = true
		p.env.Log.Warn("QoS 2 is not supported: 1 is used, so that a message may come twice after a loss of the connection", "rule", p.name, "kind", p.kind)
	}
	return byte(min(qos, 1))
}

// put publishes a message of a round, and logs if it is not accepted.
func (p *program) put(ctx context.Context, m mqttlink.Message) {
	if err := p.publish(ctx, m); !mqttlink.Accepted(err) {
		p.repeats.Say(slog.LevelWarn, p.name+m.Topic, "result of a rule is not published", "rule", p.name, "topic", m.Topic, "err", err)
	}
}

// save publishes what save_data has kept until the end of the call.
func (p *program) save(ctx context.Context, c *call) {
	for _, m := range c.saved {
		p.put(ctx, m)
	}
	c.saved = nil
}
