package rule

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pithings/gateway/collect"
	"pithings/mqttlink"
)

// Settings are the rules of a gateway.
type Settings struct {
	Publish   []Publish
	Subscribe []Subscribe
	Functions []Function
}

// Rules are the rules at work. Its methods may be called from several goroutines at once,
// except Handle, Drain and Periodic, which are for one.
type Rules struct {
	env       *Env
	publish   []*publishRule
	subscribe []*subscribeRule
	functions []*functionRule
	programs  []*program
	failed    []Stats // rules that could not be loaded
	cancels   []func()
	wake      chan struct{}
	work      sync.WaitGroup // functions that run
	feeding   sync.WaitGroup // publish rules that work
	workers   sync.WaitGroup // goroutines in which they do, and those that wait
	idle      chan *publishRule
	spare     chan struct{}   // has one for each that waits
	ctx       context.Context // of publish rules
	stop      context.CancelFunc

	mu         sync.Mutex
	recall     []string    // groups whose rules are to get their data now
	turns      []*turn     // that are not published, oldest first
	timer      *time.Timer // of the first
	publishing bool
}

type publishRule struct {
	*program
	groups []string
	queue  queue
}

type subscribeRule struct{ *program }

type functionRule struct {
	*program
	Function
	next time.Time // zero: it has no interval
}

// Batch is what a poll has brought, with calendar times.
type Batch struct {
	Rounds []collect.Round
	Alarms []collect.AlarmEvent
}

// New loads the rules. One that cannot be loaded is logged: if before has one of its name, that
// stays at work, else it does nothing. A script that is the same as before continues with
// its variables. Close should follow; before is closed already, or nil.
func New(e *Env, s Settings, before *Rules) *Rules {
	r := &Rules{env: e, wake: make(chan struct{}, 1), idle: make(chan *publishRule), spare: make(chan struct{}, maxIdle)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	shared := new(Shared)
	if before != nil {
		shared = before.env.Shared
	}
	e.Shared = shared
	e.Topic, e.Recall = r.topicOf, r.recallGroups
	for _, p := range s.Publish {
		if at := r.load(publishKind, p.Name, p.Topic, p.QoS, &p.Script, before); at != nil {
			r.publish = append(r.publish, &publishRule{program: at, groups: p.Groups})
		}
	}
	for _, p := range s.Subscribe {
		if at := r.load(subscribeKind, p.Name, p.Topic, p.QoS, &p.Script, before); at != nil {
			r.subscribe = append(r.subscribe, &subscribeRule{at})
		}
	}
	now := time.Now()
	for _, f := range s.Functions {
		if at := r.load(functionKind, f.Name, f.Topic, 1, &f.Script, before); at != nil {
			one := &functionRule{program: at, Function: f}
			if f.Every.Duration > 0 {
				one.next = now.Add(f.Every.Duration)
			}
			r.functions = append(r.functions, one)
		}
	}
	return r
}

// load makes the program of a rule, or takes the one from before.
func (r *Rules) load(kind, name, topic string, qos int, s *Script, before *Rules) *program {
	var old *program
	if before != nil {
		if i := slices.IndexFunc(before.programs, func(p *program) bool { return p.kind == kind && p.name == name }); i >= 0 {
			old = before.programs[i]
		}
	}
	expanded, err := r.env.Params.Expand(topic)
	var p *program
	if err == nil {
		p, err = r.env.load(kind, name, expanded, qos, s, old)
	}
	switch {
	case err == nil:
	case old == nil:
		r.env.Log.Error("rule is off: it could not be loaded", "rule", name, "kind", kind, "err", err)
		r.failed = append(r.failed, Stats{Kind: kind, Name: name, Error: err.Error()})
		return nil
	default:
		r.env.Log.Error("rule could not be loaded: the script before stays at work", "rule", name, "kind", kind, "err", err)
		if expanded == "" {
			expanded = old.topic
		}
		p = old.adopt(r.env, expanded, qos)
		p.tally.fails(err)
	}
	r.programs = append(r.programs, p)
	return p
}

// Start subscribes, and runs the functions for the start. They end when ctx does.
func (r *Rules) Start(ctx context.Context) error {
	for _, s := range r.subscribe {
		if err := r.listen(s.program, s.message); err != nil {
			return err
		}
	}
	for _, f := range r.functions {
		if f.Topic != "" {
			if err := r.listen(f.program, f.message); err != nil {
				return err
			}
		}
		if f.Startup {
			r.run(ctx, f)
		}
	}
	return nil
}

// listen subscribes a rule to its topic. A filter that the broker would refuse turns it off.
func (r *Rules) listen(p *program, h mqttlink.Handler) error {
	cancel, err := r.env.Link.Subscribe(p.topic, p.qos, h)
	if err != nil {
		if errors.Is(err, mqttlink.ErrEnded) {
			return err
		}
		r.env.Log.Error("rule is off: it cannot subscribe", "rule", p.name, "kind", p.kind, "topic", p.topic, "err", err)
		p.tally.fails(err)
		return nil
	}
	r.cancels = append(r.cancels, cancel)
	return nil
}

// Close ends the subscriptions and what runs, and waits for it.
func (r *Rules) Close() {
	r.stop()
	for _, p := range r.programs {
		p.cancel()
	}
	for _, cancel := range r.cancels {
		cancel()
	}
	r.cancels = nil
	for _, p := range r.programs {
		p.close()
	}
	r.work.Wait()
	r.feeding.Wait()
	r.workers.Wait()
	for _, p := range r.publish {
		if n := len(p.queue.turns); n > 0 {
			r.env.Log.Warn("data for a rule is dropped: it ends before its script has taken it", "rule", p.name, "n", n)
		}
	}
}

// Wake receives when a group is recalled.
func (r *Rules) Wake() <-chan struct{} { return r.wake }

// recallGroups has the rules of groups get their data now.
func (r *Rules) recallGroups(groups []string) {
	r.mu.Lock()
	for _, g := range groups {
		if !slices.Contains(r.recall, g) && len(r.recall) < maxCallbacks {
			r.recall = append(r.recall, g)
		}
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Recalled returns the groups that a script has recalled.
func (r *Rules) Recalled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := r.recall
	r.recall = nil
	return groups
}

// topicOf is the topic of the publish rule of a group.
func (r *Rules) topicOf(group string) (topic string, qos byte, ok bool) {
	for _, p := range r.publish {
		if slices.Contains(p.groups, group) {
			return p.topic, p.qos, true
		}
	}
	return "", 0, false
}

// Next returns when Periodic has to be called, or zero: never.
func (r *Rules) Next() (next time.Time) {
	for _, f := range r.functions {
		if !f.next.IsZero() && (next.IsZero() || f.next.Before(next)) {
			next = f.next
		}
	}
	return next
}

// Periodic runs the functions that are due, each in a goroutine of its own. One that still
// runs is left out.
func (r *Rules) Periodic(ctx context.Context, now time.Time) {
	for _, f := range r.functions {
		if !f.next.IsZero() && !f.next.After(now) {
			f.next = f.next.Add((now.Sub(f.next)/f.Every.Duration + 1) * f.Every.Duration)
			r.run(ctx, f)
		}
	}
}

// run runs a function without a message.
func (r *Rules) run(ctx context.Context, f *functionRule) {
	if !f.running.CompareAndSwap(false, true) {
		f.tally.skip()
		return
	}
	r.work.Go(func() {
		defer f.running.Store(false)
		f.alone(ctx)
	})
}

// Stats are the states of the rules.
func (r *Rules) Stats() []Stats {
	all := slices.Clone(r.failed)
	for _, p := range r.programs {
		all = append(all, p.tally.stats())
	}
	return all
}
