package rogue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pithings/mqttlink/packet"
)

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// retain publishes a retained message, and notes that it is to be removed.
func (p *probe) retain(ctx context.Context, c *conn, topic string, foreign bool, payload []byte) (acked bool, err error) {
	p.litter = append(p.litter, scrap{topic, foreign})
	return c.publish(ctx, packet.Message{Topic: topic, Payload: payload, Retain: true})
}

// retainedOwn leaves many retained messages on the device's own topics.
func retainedOwn(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, false); !ok {
		return f
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	for i := range keptMessages {
		if _, err = p.retain(ctx, c, fmt.Sprintf("%skept/%d", p.home, i), false, plain(mark)); err != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return lacking(ctx.Err())
	case errors.Is(err, errClosed):
		return stopped(Closed, "")
	case err != nil:
		return lacking(err)
	}
	if granted, err := c.granted(ctx, p.home+"kept/#"); err != nil || !granted {
		return notTested("the device may not subscribe to its own " + p.home + "kept/#")
	}
	p.answered(ctx, c)
	kept := 0
	c.await(ctx, p.times.settle, func(in *inbox) bool { kept = in.kept(mark); return kept >= keptMessages })
	switch {
	case kept == 0:
		return stopped(Dropped, "none is kept")
	case kept < keptMessages:
		return stopped(Bounded, fmt.Sprintf("%d of %d", kept, keptMessages))
	}
	return through(fmt.Sprintf("one client has the broker keep %d messages", kept))
}

// retainedForeign leaves a retained message on a topic of the witness.
func retainedForeign(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	topic := p.witness.home + own
	acked, err := p.retain(ctx, c, topic, true, plain(mark))
	p.answered(ctx, c)
	kept, seen := p.witness.finds(ctx, topic, mark)
	switch {
	case kept:
		return through(fmt.Sprintf("who subscribes to %s gets it, whenever that is", topic))
	case seen != nil:
		return lacking(seen)
	case errors.Is(err, errClosed):
		return stopped(Closed, topic)
	case acked:
		return stopped(Dropped, topic+": acknowledged, and not kept")
	}
	return stopped(Dropped, topic+": not acknowledged, and not kept")
}

// finds subscribes the witness to a topic anew, and reports whether a retained message with a
// mark comes.
func (w *witness) finds(ctx context.Context, topic, mark string) (bool, error) {
	c, err := w.at(ctx)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	granted, err := c.granted(ctx, topic)
	w.mu.Unlock()
	if err != nil || !granted {
		return false, errors.Join(err, errors.New("the witness may not subscribe to "+topic))
	}
	_ = w.ping(ctx) // whether it answers shows below
	if c.await(ctx, w.site.times.settle, func(in *inbox) bool { return in.kept(mark) > 0 }) {
		return true, nil
	}
	if c.closed() {
		return false, errClosed
	}
	return false, ctx.Err()
}

// clean removes the retained messages of a behaviour, also after the end of the run, and notes
// what it cannot remove.
func (p *probe) clean(ctx context.Context) {
	if len(p.litter) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.times.clean)
	defer cancel()
	c, err := p.enter(ctx)
	for _, s := range p.litter {
		empty := packet.Message{Topic: s.topic, Retain: true}
		if err == nil {
			_, err = c.publish(ctx, empty)
		}
		if s.foreign { // the witness may do so where the device may not
			p.witness.removes(ctx, empty)
		}
	}
	for _, s := range p.litter {
		if !p.removed(ctx, c, s) {
			p.left = append(p.left, s.topic)
		}
	}
	p.litter = nil
}

func (w *witness) removes(ctx context.Context, empty packet.Message) {
	if c, err := w.at(ctx); err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, _ = c.publish(ctx, empty) // removed looks
	}
}

// removed reports whether no message of ours is retained on a topic.
func (p *probe) removed(ctx context.Context, c *conn, s scrap) bool {
	if s.foreign {
		w, err := p.witness.at(ctx)
		if err != nil {
			return false
		}
		p.witness.mu.Lock()
		defer p.witness.mu.Unlock()
		return noneRetained(ctx, w, s.topic)
	}
	return c != nil && noneRetained(ctx, c, s.topic)
}

// noneRetained subscribes to a topic once more. What is retained comes with the answer to
// the subscription, or before the answer to a ping.
func noneRetained(ctx context.Context, c *conn, topic string) bool {
	before := 0
	count := func(in *inbox) (n int) {
		for _, m := range in.marked {
			if m.retained && m.topic == topic {
				n++
			}
		}
		return n
	}
	c.now(func(in *inbox) bool { before = count(in); return true })
	if granted, err := c.granted(ctx, topic); err != nil || !granted {
		return false
	}
	return c.ping(ctx, c.times.answer) == nil && c.now(func(in *inbox) bool { return count(in) == before })
}
