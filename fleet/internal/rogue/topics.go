package rogue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pithings/mqttlink/packet"
)

func publishForeign(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	return p.foreign(ctx, p.witness.home+own, plain)
}

// listenBy overhears by a filter that is made of the witness's home.
func listenBy(filter func(home string) string) func(context.Context, *probe) Finding {
	return func(ctx context.Context, p *probe) Finding {
		if f, ok := p.needs(false, true); !ok {
			return f
		}
		home := p.witness.home
		return p.overhear(ctx, filter(home), home+own, plain)
	}
}

func everything(string) string { return "#" }

func oneLevelEach(home string) string {
	return strings.Repeat("+/", strings.Count(home, "/")) + "+"
}

func foreignCommands(home string) string { return home + "#" }

// shared subscribes in a group of its own: a broker gives each message to one client of a group.
func shared(ctx context.Context, p *probe) Finding {
	return listenBy(func(string) string { return "$share/pithings-rogue-" + p.device.Name + "/#" })(ctx, p)
}

// readSystem finds out whether a device gets what the broker publishes about itself.
func readSystem(ctx context.Context, p *probe) Finding {
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	granted, err := c.granted(ctx, "$SYS/#")
	switch {
	case errors.Is(err, errClosed):
		return stopped(Closed, "$SYS/#")
	case err != nil:
		return lacking(err)
	case !granted:
		return stopped(Refused, "$SYS/#: SUBACK 0x80")
	}
	topic := ""
	if c.await(ctx, p.times.settle, func(in *inbox) (ok bool) { topic, ok = in.system("$SYS/"); return ok }) {
		return through("it reads the state of the broker: " + topic)
	}
	return stopped(Dropped, "$SYS/#: granted, and nothing is delivered")
}

// writeSystem finds out whether a device can publish what others take for the broker's.
func writeSystem(ctx context.Context, p *probe) Finding {
	const topic = "$SYS/broker/pithings-rogue"
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	_, err = c.granted(ctx, "$SYS/#")
	reads := err == nil && c.await(ctx, p.times.settle, func(in *inbox) bool { _, ok := in.system("$SYS/"); return ok })
	if c.closed() {
		if c, err = p.enter(ctx); err != nil {
			return lacking(err)
		}
	}
	mark := p.mark()
	_, err = c.publish(ctx, packet.Message{Topic: topic, Payload: plain(mark)})
	p.answered(ctx, c)
	switch {
	case c.await(ctx, p.times.settle, func(in *inbox) bool { return in.heard(mark) }):
		return through("what it published on " + topic + " was delivered")
	case errors.Is(err, errClosed):
		return stopped(Closed, topic)
	case !reads:
		return notTested("the device may not read $SYS, so nothing shows what it publishes there")
	}
	return stopped(Dropped, topic+": nothing is delivered")
}

func shadowOf(name string) string { return "$aws/things/" + name + "/shadow/" }
func jobsOf(name string) string   { return "$aws/things/" + name + "/jobs/" }

// foreignShadow sets the desired state of the witness's shadow.
func foreignShadow(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	shadow := shadowOf(p.witness.device.Name)
	if f, ok := p.watch(ctx, shadow, "get"); !ok {
		return f
	}
	f := p.foreign(ctx, shadow+"update", func(mark string) []byte {
		return fmt.Appendf(nil, `{"state":{"desired":{"rogue":"%s"}},"clientToken":"%[1]s"}`, mark)
	})
	if f.Verdict == Through { // take it back
		if c, err := p.enter(ctx); err == nil {
			_, _ = c.publish(ctx, packet.Message{Topic: shadow + "update", Payload: []byte(`{"state":{"desired":{"rogue":null}}}`)})
		}
	}
	return f
}

// foreignJobs listens to the witness's jobs.
func foreignJobs(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	jobs := jobsOf(p.witness.device.Name)
	if f, ok := p.watch(ctx, jobs, "get"); !ok {
		return f
	}
	return p.overhear(ctx, jobs+"#", jobs+"get", token)
}

// token is a request to a service of AWS with a mark: answers repeat it.
func token(mark string) []byte { return fmt.Appendf(nil, `{"clientToken":"%s"}`, mark) }

// watch subscribes the witness to more of its own topics, below which it asks for something, and makes
// sure that it sees what is published there: of a broker that grants what it never delivers,
// silence is no evidence.
func (p *probe) watch(ctx context.Context, below, ask string) (Finding, bool) {
	c, err := p.witness.at(ctx)
	if err != nil {
		return lacking(err), false
	}
	granted, err := p.witness.adds(ctx, c, below+"#")
	if err != nil || !granted {
		return notTested(fmt.Sprintf("the witness %s may not subscribe to its own %s#", p.witness.device.Name, below)), false
	}
	mark := p.mark()
	if err := c.post(ctx, packet.Message{Topic: below + ask, Payload: token(mark)}); err != nil {
		return lacking(err), false
	}
	if err := p.witness.ping(ctx); err != nil || !c.await(ctx, p.times.settle, func(in *inbox) bool { return in.heard(mark) }) {
		return notTested(fmt.Sprintf("the witness %s does not get its own message on %s", p.witness.device.Name, below+ask)), false
	}
	return Finding{}, true
}

// control asks the broker for the list of its clients, as its administrator does: mosquitto's
// plug-in dynamic security takes that there. It changes nothing.
func control(ctx context.Context, p *probe) Finding {
	const topic, answer = "$CONTROL/dynamic-security/v1", "$CONTROL/dynamic-security/v1/response"
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	granted, err := c.granted(ctx, answer)
	if errors.Is(err, errClosed) {
		return stopped(Closed, answer)
	}
	if err != nil {
		return lacking(err)
	}
	mark := p.mark()
	_, err = c.publish(ctx, packet.Message{Topic: topic, Payload: fmt.Appendf(nil, `{"commands":[{"command":"listClients","correlationData":"%s"}]}`, mark)})
	p.answered(ctx, c)
	heard := false
	c.await(ctx, p.times.settle, func(in *inbox) bool {
		_, other := in.system("$CONTROL/")
		heard = other || in.heard(mark)
		return heard
	})
	switch {
	case heard:
		return through("the broker answered on " + answer)
	case errors.Is(err, errClosed):
		return stopped(Closed, topic)
	case !granted:
		return stopped(Refused, answer+": SUBACK 0x80, and no answer")
	}
	return stopped(Dropped, topic+": no answer")
}
