package rogue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"pithings/mqttlink/packet"
)

// probe is one device at one behaviour.
type probe struct {
	*site
	device    *Device
	home      string   // topics that the device may publish and receive; "" if there are none
	witness   *witness // nil: there is none
	noWitness string   // why
	stolen    []string // client ids of others
	random    *rand.Rand

	conns  []*conn
	litter []scrap
	left   []string // what could not be removed
}

// scrap is a retained message that is to be removed.
type scrap struct {
	topic   string
	foreign bool // at the witness's home
}

// end ends the connections.
func (p *probe) end() {
	for _, c := range p.conns {
		c.close()
	}
	p.conns = nil
}

// reach opens a connection without a login.
func (p *probe) reach(ctx context.Context) (*conn, error) {
	c, err := p.open(ctx, p.device.TLS)
	if err == nil {
		p.conns = append(p.conns, c)
	}
	return c, err
}

// enter connects the device.
func (p *probe) enter(ctx context.Context) (*conn, error) {
	return p.enterAs(ctx, p.device.login())
}

func (p *probe) enterAs(ctx context.Context, l packet.Login) (*conn, error) {
	c, err := p.reach(ctx)
	if err != nil {
		return nil, err
	}
	return c, c.login(ctx, &l)
}

// closes waits until the broker closes a connection, and reports whether it does.
func (p *probe) closes(ctx context.Context, c *conn) bool {
	return c.await(ctx, p.times.settle, func(in *inbox) bool { return in.err != nil })
}

// needs returns why a behaviour cannot be tested: for want of topics of its own, or of a witness.
func (p *probe) needs(home, witness bool) (Finding, bool) {
	switch {
	case home && p.home == "":
		return notTested("the device has no topic that it may publish and receive: " + fmt.Sprint(homes(p.device.Name))), false
	case witness && p.witness == nil:
		return notTested(p.noWitness), false
	}
	return Finding{}, true
}

// lacking is the finding of a behaviour that did not begin: the device itself was not let in, or
// the witness was not.
func lacking(err error) Finding { return notTested(err.Error()) }

// answered waits until the broker has worked through what a connection sent, and reports whether
// it still answers there.
func (p *probe) answered(ctx context.Context, c *conn) bool {
	return c.ping(ctx, p.times.answer) == nil
}

// arrives reports whether a message of the connection c comes to the witness at w, where it has listened
// since before the message: on a newer connection silence would be no evidence.
func (p *probe) arrives(ctx context.Context, w, c *conn, mark string) (bool, error) {
	p.answered(ctx, c)
	if err := p.witness.ping(ctx); err != nil {
		return false, fmt.Errorf("the witness %s: %w", p.witness.device.Name, err)
	}
	heard := func(in *inbox) bool { return in.heard(mark) }
	if w.await(ctx, p.times.settle, heard) {
		return true, nil
	}
	if w.closed() {
		return false, errors.New("the broker has ended the witness's connection")
	}
	return false, ctx.Err()
}

// ping is a ping of the witness.
func (w *witness) ping(ctx context.Context) error {
	_, err := w.served(ctx)
	return err
}

// served measures how long the witness waits for the broker, and not for others of its users.
func (w *witness) served(ctx context.Context) (time.Duration, error) {
	c, err := w.at(ctx)
	if err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	err = c.ping(ctx, w.site.times.starve)
	return time.Since(began), err
}

// foreign publishes a message at a topic that only the witness may have, and finds out whether it
// comes there.
func (p *probe) foreign(ctx context.Context, topic string, payload func(mark string) []byte) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	w, err := p.witness.at(ctx)
	if err != nil {
		return lacking(err)
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	acked, err := c.publish(ctx, packet.Message{Topic: topic, Payload: payload(mark)})
	arrived, seen := p.arrives(ctx, w, c, mark)
	switch {
	case arrived:
		return through(fmt.Sprintf("%s got what %s published on %s", p.witness.device.Name, p.device.Name, topic))
	case seen != nil:
		return lacking(seen)
	case errors.Is(err, errClosed):
		return stopped(Closed, topic)
	case acked:
		return stopped(Dropped, topic+": acknowledged, and not delivered")
	}
	return stopped(Dropped, topic+": not acknowledged, and not delivered")
}

// plain is a payload that is only a mark.
func plain(mark string) []byte { return []byte(mark) }

// overhear subscribes to a filter, has the witness publish a message of its own on a topic, and
// finds out whether it comes.
func (p *probe) overhear(ctx context.Context, filter, topic string, payload func(mark string) []byte) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	granted, err := c.granted(ctx, filter)
	switch {
	case errors.Is(err, errClosed):
		return stopped(Closed, filter)
	case err != nil:
		return lacking(err)
	case !granted:
		return stopped(Refused, filter+": SUBACK 0x80")
	}
	w, err := p.witness.at(ctx)
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	if err := w.post(ctx, packet.Message{Topic: topic, Payload: payload(mark)}); err != nil {
		return lacking(err)
	}
	heard := func(in *inbox) bool { return in.heard(mark) }
	if err := p.witness.ping(ctx); err != nil || !w.await(ctx, p.times.settle, heard) {
		return notTested(fmt.Sprintf("the witness %s does not get its own message on %s", p.witness.device.Name, topic))
	}
	p.answered(ctx, c)
	switch {
	case c.await(ctx, p.times.settle, heard):
		return through(fmt.Sprintf("%s, subscribed to %s, got what %s published on %s", p.device.Name, filter, p.witness.device.Name, topic))
	case c.closed():
		return stopped(Closed, filter)
	}
	return stopped(Dropped, filter+": granted, and nothing is delivered")
}
