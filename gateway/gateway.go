package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/mqttlink/clock"
)

// Options are what a gateway is made of.
type Options struct {
	Settings *Settings
	Things   []field.Thing
	Events   *device.Bus
	Up       func(thing string) bool // whether a thing's part works
	Link     rule.Link
	Clock    *clock.Clock
	Params   rule.Params // what the program knows of itself; the settings' are added
	HTTP     rule.HTTP   // nil: scripts cannot use it
	// State is the folder of the gateway in the state folder: alarms, and the scripts' files.
	State string
	Log   *slog.Logger
	// Second writes settings as the JSON of Device Supervisor 2, for scripts that read it.
	Second func(*Settings) ([]byte, error)
	// Before is the gateway that ran until now, whose scripts continue where they are the same,
	// or where the new one cannot be loaded.
	Before *Gateway
}

// Gateway collects, judges and publishes. Its methods may be called from several goroutines
// at once.
type Gateway struct {
	o     Options
	field *field.Field
	rules *rule.Rules
	kept  *kept

	connected bool // at the last turn

	mu      sync.Mutex
	held    []batch // rounds from before the clock was known
	dropped int     // of them
}

// batch is what a poll has brought.
type batch struct {
	rounds []collect.Round // with their monotonic readings
	alarms []collect.AlarmEvent
}

// maxHeld bounds the polls that wait for the clock.
const maxHeld = 1000

// New returns a gateway, whose groups begin now. A rule that cannot be loaded is logged and
// does nothing. Run or Close must follow.
func New(o Options) *Gateway {
	g := &Gateway{o: o, kept: newKept(o.State, o.Log)}
	o.Params.Custom = o.Settings.Params
	var before *rule.Rules
	if o.Before != nil {
		before = o.Before.rules
	}
	g.o.Params = o.Params
	env := &rule.Env{Link: o.Link, Params: o.Params, Limits: o.Settings.Limits, HTTP: o.HTTP, Folder: o.State, Bus: o.Settings.Eventbus, Log: o.Log,
		Field: func() *field.Field { return g.field }, Tags: func() *rule.Dict { return tags(o.Settings, g.field) }, Config: func() (any, error) { return second(&g.o, g.field) }}
	states := g.kept.read()
	if o.Before != nil {
		g.held, g.dropped = o.Before.held, o.Before.dropped
		for _, e := range g.heldAlarms() {
			if s, ok := states[e.Name]; ok { // it is not lost
				s.Unreported, s.Since = false, e.At
				states[e.Name] = s
			}
		}
	}
	g.field = field.New(field.Options{Things: o.Things, Devices: o.Settings.Devices, Variables: o.Settings.Variables, Groups: o.Settings.groups(),
		Alarms: o.Settings.Alarms, States: states, Events: o.Events, Up: o.Up, Compute: env.Compute, Log: o.Log}, time.Now())
	g.rules = rule.New(env, rule.Settings{Publish: o.Settings.Publish, Subscribe: o.Settings.Subscribe, Functions: o.Settings.Functions}, before)
	g.o.Before = nil
	return g
}

// Run collects until ctx is done.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.Close()
	if err := g.rules.Start(ctx); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(g.wait(time.Now()))
		var known <-chan struct{}
		if g.waiting() {
			known = g.o.Clock.Changed()
		}
		select {
		case <-ctx.Done():
			g.end(context.WithoutCancel(ctx))
			return nil
		case <-timer.C:
		case <-g.field.Wake():
		case <-g.rules.Wake():
		case <-known:
		}
		g.turn(ctx, time.Now())
	}
}

// endTime is how long the end waits for the publish rules.
const endTime = 2 * time.Second

// end hands over what has come since the last turn.
func (g *Gateway) end(ctx context.Context) {
	g.field.Close()
	g.collect(ctx, time.Now())
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	g.rules.Drain(ctx)
}

// Close releases what New took. Run calls it. Alarms that no rule has published are kept as
// unreported, and the next gateway reports them.
func (g *Gateway) Close() {
	g.field.Close()
	g.rules.Close()
	g.kept.write(g.states())
}

// states are those of the alarms, to be kept.
func (g *Gateway) states() map[string]collect.AlarmState {
	all := g.field.States()
	for _, e := range append(g.heldAlarms(), g.rules.Pending()...) {
		if s, ok := all[e.Name]; ok {
			s.Unreported = true
			if !g.o.Clock.Known() {
				s.Since = time.Time{} // the next run cannot date it
			}
			all[e.Name] = s
		}
	}
	return all
}

// longest is how long the loop waits when there is nothing to wait for.
const longest = 24 * time.Hour

// wait returns how long there is nothing to do.
func (g *Gateway) wait(now time.Time) time.Duration {
	wait := longest
	for _, next := range []time.Time{g.field.Next(), g.rules.Next(), g.kept.next()} {
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	return max(wait, 0)
}

// turn does what is due.
func (g *Gateway) turn(ctx context.Context, now time.Time) {
	if up := g.o.Link.Connected(); up != g.connected {
		if g.connected = up; up {
			g.rules.Connected(ctx, g.date(now))
		}
	}
	g.collect(ctx, now)
	g.rules.Periodic(ctx, now)
	g.kept.due(now, g.states)
}

// collect hands over the rounds and alarms that are due.
func (g *Gateway) collect(ctx context.Context, now time.Time) {
	var b batch
	b.rounds, b.alarms = g.field.Take(now)
	for _, group := range g.rules.Recalled() {
		r := g.field.Recall(now, func(v *collect.Variable) bool { return v.Group == group && v.Mode != collect.Never })
		if r.Group = group; len(r.Samples) > 0 {
			b.rounds = append(b.rounds, r)
		}
	}
	if len(b.alarms) > 0 {
		g.kept.changed(now)
	}
	g.hold(b)
	for _, b := range g.ready() {
		if len(b.alarms) > 0 {
			g.kept.changed(now) // they are reported now
		}
		g.rules.Handle(ctx, b.dated(g.date))
	}
}

// hold puts a batch behind those that wait for the clock.
func (g *Gateway) hold(b batch) {
	if len(b.rounds)+len(b.alarms) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) == maxHeld {
		g.held = append(g.held[:0], g.held[1:]...)
		if g.dropped++; g.dropped == 1 {
			g.o.Log.Warn("the oldest data of the gateway is dropped: this machine's clock is still not known to be right", "n", maxHeld)
		}
	}
	g.held = append(g.held, b)
}

// heldAlarms are those that wait for the clock.
func (g *Gateway) heldAlarms() (all []collect.AlarmEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.held {
		all = append(all, b.alarms...)
	}
	return all
}

func (g *Gateway) waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.held) > 0
}

// ready returns the batches that can be dated, oldest first.
func (g *Gateway) ready() (all []batch) {
	if !g.o.Clock.Known() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	all, g.held = g.held, nil
	return all
}

// date returns the calendar time of a moment, by the clock as it is now.
func (g *Gateway) date(t time.Time) time.Time {
	return g.o.Clock.Now().Round(0).Add(-time.Since(t))
}

// dated returns the batch with calendar times.
func (b *batch) dated(date func(time.Time) time.Time) rule.Batch {
	all := rule.Batch{Rounds: b.rounds, Alarms: b.alarms}
	for i := range all.Rounds {
		r := &all.Rounds[i]
		r.At = date(r.At)
		for j := range r.Samples {
			if s := &r.Samples[j]; !s.At.IsZero() {
				s.At = date(s.At)
			}
		}
	}
	for i := range all.Alarms {
		all.Alarms[i].At = date(all.Alarms[i].At)
	}
	return all
}

// Alarms lists the alarms.
func (g *Gateway) Alarms() []field.ListedAlarm { return g.field.Alarms() }

// Acknowledge notes that a person knows of an alarm.
func (g *Gateway) Acknowledge(name string) (field.ListedAlarm, error) {
	a, err := g.field.Acknowledge(name)
	if err == nil {
		g.kept.write(g.states())
	}
	return a, err
}

// Rules are the states of the rules, by their kinds and names.
func (g *Gateway) Rules() []rule.Stats { return g.rules.Stats() }
