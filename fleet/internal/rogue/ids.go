package rogue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pithings/mqttlink/packet"
)

// takes finds out whether the device is let in under a client id that is not its own. The
// evidence is its first connection, under its own: a broker that takes the client id from the
// login ends that one.
func (p *probe) takes(ctx context.Context, id string) Finding {
	first, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	l := p.device.login()
	l.ClientID = id
	second, err := p.enterAs(ctx, l)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return stopped(Refused, fmt.Sprintf("CONNACK %d", refused.code))
	case errors.Is(err, errClosed):
		return stopped(Closed, "")
	case err != nil:
		return lacking(err)
	}
	if !p.answered(ctx, second) {
		return stopped(Closed, "after it was let in")
	}
	if p.closes(ctx, first) {
		return stopped(Bound, "the second connection has replaced the first")
	}
	return through(fmt.Sprintf("%s was let in as %s", p.device.Name, short(id)))
}

// short is a client id for people.
func short(id string) string {
	const most = 40
	if len(id) > most {
		return fmt.Sprintf("%q… (%d bytes)", id[:most], len(id))
	}
	return fmt.Sprintf("%q", id)
}

func (p *probe) oneOf(ctx context.Context, ids []string) Finding {
	worst := notTested("there is no client id to try")
	for _, id := range ids {
		f := p.takes(ctx, id)
		p.end()
		if f.rank() < worst.rank() || worst.Verdict == NotTested {
			worst = f
		}
		if f.Verdict == Through || ctx.Err() != nil {
			break
		}
	}
	return worst
}

func wrongID(ctx context.Context, p *probe) Finding {
	return p.takes(ctx, fmt.Sprintf("rogue-%08x", p.random.Uint32()))
}

func emptyID(ctx context.Context, p *probe) Finding { return p.takes(ctx, "") }

func longID(ctx context.Context, p *probe) Finding {
	return p.takes(ctx, strings.Repeat("x", maxTopicBytes))
}

// oddIDs mean something in a topic or an access list, or in a log.
var oddIDs = [...]string{"#", "+", "rogue/../#", "$SYS", "%u", "rogue\n1700000000: New client connected", "rogue\x1b[2J", "\u202eeugor"}

func oddID(ctx context.Context, p *probe) Finding { return p.oneOf(ctx, oddIDs[:]) }

func stolenID(ctx context.Context, p *probe) Finding {
	if len(p.stolen) == 0 {
		return notTested("no client ids of others are given (--stolen-ids FILE)")
	}
	return p.oneOf(ctx, p.stolen)
}

func wrongPassword(ctx context.Context, p *probe) Finding {
	if p.device.Username == "" {
		return notTested("no user name is configured")
	}
	l := p.device.login()
	l.Password = fmt.Sprintf("wrong-%08x", p.random.Uint32())
	return p.getsIn(ctx, *p.device, l)
}

// noLogin connects without a certificate, a user name and a password.
func noLogin(ctx context.Context, p *probe) Finding {
	d := Device{Name: p.device.Name}
	if c := p.device.TLS; c != nil {
		d.TLS = c.Clone()
		d.TLS.Certificates, d.TLS.GetClientCertificate, d.TLS.ClientSessionCache = nil, nil, nil
	}
	return p.getsIn(ctx, d, packet.Login{ClientID: d.Name, KeepAlive: keepAlive})
}

// getsIn finds out whether the broker lets a login in.
func (p *probe) getsIn(ctx context.Context, d Device, l packet.Login) Finding {
	known, err := p.enter(ctx)
	if err != nil {
		return lacking(err) // it would be refused, whatever its login
	}
	known.close()
	c, err := p.open(ctx, d.TLS)
	if err != nil {
		if ctx.Err() != nil {
			return lacking(ctx.Err())
		}
		return stopped(Refused, err.Error())
	}
	p.conns = append(p.conns, c)
	err = c.login(ctx, &l)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return stopped(Refused, fmt.Sprintf("CONNACK %d", refused.code))
	case errors.Is(err, errClosed):
		return stopped(Closed, "")
	case err != nil:
		return lacking(err)
	case !p.answered(ctx, c):
		return stopped(Closed, "after it was let in")
	}
	return through("it was let in")
}
