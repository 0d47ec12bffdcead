package rehearsal

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/scenario"
)

// Options are what a scenario needs of a fleet.
type Options struct {
	Devices    int
	Identities string        // the folder that Own is from
	Own        []*tls.Config // of each device; nil: they have no certificates of their own
}

// Rehearsal is a scenario with its devices. It does at each step what the plan says of sessions;
// the devices themselves send what it says of messages.
type Rehearsal struct {
	plan   *scenario.Plan
	origin time.Duration // the start, by the engine's clock
	actors []*actor
	expiry *expiry // nil: no certificate ends
	score  *score
}

// New prepares a scenario. Nothing is connected.
func New(p *scenario.Plan, o Options) (*Rehearsal, error) {
	r := &Rehearsal{plan: p, actors: make([]*actor, o.Devices), score: newScore(p, o.Devices)}
	var err error
	r.expiry, err = newExpiry(p, o)
	return r, err
}

// Away is Options.Away of the engine.
func (r *Rehearsal) Away(device int) bool {
	return r.plan.State(&r.plan.Steps[0], device)&scenario.Away != 0
}

// Client makes a device follow the scenario. One that is none of the playground's publishes by
// itself, and only its sessions follow.
func (r *Rehearsal) Client(d engine.Client, device int) engine.Client {
	a := &actor{
		Client: d, origin: &r.origin, score: r.score, bystander: !r.score.hit[device],
		item: scenario.Item{At: scenario.Never}, state: r.plan.State(&r.plan.Steps[0], device),
	}
	if sampled, ok := d.(*playground.Device); ok { // it is one that is Driven
		a.device, a.track = sampled, r.plan.Track(device)
		a.item = a.track.Next()
	}
	r.actors[device] = a
	return a
}

// Session changes what a device connects with.
func (r *Rehearsal) Session(device int, s *engine.Session) {
	if r.actors[device].state&scenario.Wrong != 0 {
		s.Login.Username, s.Login.Password = "pithings-wrong", "wrong"
	}
}

// TLS returns what a device's handshake needs; nil: what it needs in any fleet.
func (r *Rehearsal) TLS(device int) *tls.Config {
	if r.expiry == nil {
		return nil
	}
	return r.expiry.of(device)
}

// Run runs the engine to the end of the scenario, or of ctx.
func (r *Rehearsal) Run(ctx context.Context, e *engine.Engine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.expiry != nil {
		if err := r.expiry.begin(r.plan, time.Now()); err != nil {
			return err
		}
	}
	r.origin = e.Now()
	r.score.begin(ctx, r.origin)
	for _, a := range r.actors {
		a.plan(0)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer cancel()
		select {
		case <-e.Running():
			r.steps(ctx, e)
		case <-ctx.Done():
		}
	})
	err := e.Run(ctx)
	cancel()
	running.Wait()
	r.score.enter(over, e)
	return err
}

// steps does one step after another, until the scenario is at its end.
func (r *Rehearsal) steps(ctx context.Context, e *engine.Engine) {
	phase := -1
	for n := range r.plan.Steps {
		s := &r.plan.Steps[n]
		if !r.await(ctx, s.At, e) {
			return
		}
		if s.Phase != phase {
			phase = s.Phase
			e.SetRamp(r.plan.RampOf(phase))
			r.score.enter(phase, e)
		}
		if n > 0 && s.Session {
			r.act(ctx, s, e)
		}
	}
	r.await(ctx, r.plan.End, e)
}

// await waits for a time of the scenario, and reports whether it has come.
func (r *Rehearsal) await(ctx context.Context, at time.Duration, e *engine.Engine) bool {
	for {
		now := e.Now() - r.origin
		if now >= at {
			return ctx.Err() == nil
		}
		t := time.NewTimer(min(at-now, sampleTime))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
		r.score.sample(e)
	}
}

// act ends and begins the sessions of a step.
func (r *Rehearsal) act(ctx context.Context, s *scenario.Step, e *engine.Engine) {
	for i, a := range r.actors {
		if i%1024 == 0 && ctx.Err() != nil {
			return
		}
		is, pulse := r.plan.State(s, i), scenario.None
		for _, fault := range s.Pulses {
			if r.plan.Hits(fault, i) {
				pulse = r.plan.Faults[fault].Do
			}
		}
		join := false
		e.Do(i, func(_ time.Duration, out engine.Out) {
			if is == a.state && pulse == scenario.None {
				return
			}
			if r.expiry != nil && (is^a.state)&scenario.Expired != 0 {
				r.expiry.turn(i, is&scenario.Expired != 0)
			}
			join = a.become(is, pulse, out)
		})
		if join {
			e.Do(i, func(_ time.Duration, out engine.Out) { out.Join() })
		}
	}
}
