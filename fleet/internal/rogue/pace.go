package rogue

import (
	"context"
	"sync"
	"time"
)

// Limits of what is asked of a broker, for all rogue devices together. They are far below what
// hurts a broker that is well: the question is whether it defends itself, not how strong it is.
const (
	MaxDevices     = 100  // rogue devices
	MaxStolenIDs   = 100  // client ids of the list
	MaxConnects    = 50   // connections begun in a second
	MaxMessages    = 1000 // messages in a second, on loopback and private networks
	MaxFarMessages = 100  // elsewhere

	floodMessages = 2000     // of a flood
	floodSize     = 200      // bytes of each
	stormFilters  = 1000     // of a storm of subscriptions
	stormPacket   = 8        // filters in each SUBSCRIBE: as many as AWS takes
	keptMessages  = 100      // retained ones
	slowMessages  = 512      // to one that does not read
	slowFar       = 64       // elsewhere
	slowSize      = 64 << 10 // bytes of each
	halfConnects  = 50       // connections that never end their CONNECT
	hugePayload   = 2 << 20  // bytes
)

// Publishes is about how many messages a device publishes at a broker that is far away: the large ones above, and
// one or two in most other behaviours.
const Publishes = floodMessages + slowFar + 2*keptMessages + 100

// times bound all waits.
type times struct {
	dial      time.Duration // of a connection with its handshake
	write     time.Duration
	answer    time.Duration // of the broker, to a login, a subscription, a publish or a ping
	settle    time.Duration // of a message that the broker has had time to deliver: what each "it did not come" costs
	starve    time.Duration // how long others may wait for the broker before that counts as an effect
	half      time.Duration // of half logins
	clean     time.Duration // of the removal of what a behaviour has left
	behaviour time.Duration
}

// usual are the times for one broker, or for one that is many machines, far away.
func usual(far bool) times {
	t := times{
		dial: 10 * time.Second, write: 5 * time.Second, answer: 10 * time.Second, settle: time.Second, starve: 10 * time.Second,
		half: 5 * time.Second, clean: 20 * time.Second, behaviour: 3 * time.Minute,
	}
	if far {
		t.settle = 3 * time.Second
	}
	return t
}

// pace spaces events evenly.
type pace struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

func newPace(perSecond float64) *pace {
	return &pace{every: time.Duration(float64(time.Second) / perSecond)}
}

// wait waits for the next place. Places that were not used are lost, up to a hundredth of a
// second of them: a timer is no finer.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	if early := now.Add(-10 * time.Millisecond); p.next.Before(early) {
		p.next = early
	}
	at := p.next
	p.next = at.Add(p.every)
	p.mu.Unlock()
	d := at.Sub(now)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
