package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"pithings/conf/suggest"
	"pithings/flow"
	"pithings/quietlog"
)

// Engine runs deployments. It lives from New to Close.
type Engine struct {
	o      Options
	parts  *parts
	cancel context.CancelCauseFunc

	mu          sync.Mutex
	closed      bool
	deployments map[string]*deployed
	watches     watches
	zones       map[string]*time.Location
}

// Errors of the engine.
var (
	ErrClosed      = errors.New("the flow engine has ended")
	ErrNotDeployed = errors.New("not deployed")
)

// New returns an engine without deployments. Close must follow.
func New(o Options) *Engine {
	e := &Engine{o: o, deployments: map[string]*deployed{}, watches: watches{}}
	a := newAgenda(o.Clock, o.Wall)
	e.parts = &parts{
		recorder: o.Recorder, keeper: o.Keeper, shortest: cmp.Or(o.Shortest, defaultShortest),
		log: o.Log, repeats: quietlog.NewRepeats(o.Log),
		agenda: a, dates: dates{o.Clock, a.wall}, spawn: e.spawn,
	}
	e.parts.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// spawn runs fn on a goroutine of its own, unless the engine is closed, which saves what is
// kept itself.
func (e *Engine) spawn(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.parts.tasks.Go(fn)
	}
}

// Close stops to watch, aborts the executions that run and waits for their end.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	var all []*deployed
	for _, d := range e.deployments {
		all = append(all, d)
	}
	e.mu.Unlock()
	for _, d := range all {
		e.mu.Lock()
		d.unwatch(e.watches)
		e.mu.Unlock()
		d.stop(errEngineEnds)
	}
	e.cancel(errEngineEnds)
	e.parts.tasks.Wait()
	e.parts.agenda.close()
	for _, d := range all {
		if d.memory != nil {
			d.memory.save()
		}
	}
	return nil
}

// Deploy checks a deployment and makes it the active one, in the place of the one of
// the same name, whose executions are aborted. The deployment must not be
// changed afterwards. If it cannot be deployed, the old one stays as it is.
func (e *Engine) Deploy(d *flow.Deployment) error {
	known := flow.Known{}
	var services Services
	if e.o.Services != nil {
		services = e.o.Services(d)
	}
	if services == nil {
		known.Service = func(string, string) (bool, bool) { return false, false }
	}
	if err := d.Validate(known); err != nil {
		return err
	}
	n, err := newDeployed(e.parts, &e.o, d, services)
	if err != nil {
		return err
	}
	waiting, err := e.replace(n)
	if err != nil {
		return err
	}
	n.resume(waiting)
	n.start()
	return nil
}

// replace makes a deployment the active one in the place of the one before, and returns the
// executions of an earlier process that waited.
func (e *Engine) replace(n *deployed) (waiting map[string][]byte, err error) {
	name := n.d.Name
	e.mu.Lock()
	var before *memory
	if old := e.deployments[name]; old != nil {
		before = old.memory
	}
	e.mu.Unlock()
	n.memory, waiting = e.parts.recall(n.d, before) // from the disk
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, ErrClosed
	}
	if err := n.watch(e.watches, e.zone); err != nil {
		n.unwatch(e.watches)
		e.mu.Unlock()
		n.stopClocks() // an event may have come already
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	old := e.deployments[name]
	e.deployments[name] = n
	if old != nil {
		old.unwatch(e.watches)
	}
	e.mu.Unlock()
	if old != nil {
		old.stop(errRedeployed)
	}
	return waiting, nil
}

// zone returns the zone of a moment of the day. Each is loaded once. The lock is held.
func (e *Engine) zone(a *flow.At) (*time.Location, error) {
	if loc, ok := e.zones[a.Zone]; ok {
		return loc, nil
	}
	loc, err := a.Location()
	if err != nil {
		return nil, err
	}
	e.zones = put(e.zones, a.Zone, loc)
	return loc, nil
}

// Undeploy takes a deployment out of force and aborts its executions.
func (e *Engine) Undeploy(name string) error {
	e.mu.Lock()
	d := e.deployments[name]
	if d == nil {
		e.mu.Unlock()
		return fmt.Errorf("%s: %w", name, ErrNotDeployed)
	}
	delete(e.deployments, name)
	d.unwatch(e.watches)
	e.mu.Unlock()
	d.stop(errUndeployed)
	if d.memory != nil {
		d.memory.save()
		e.parts.drop(&d.memory.entry) // what ends now may not write over what a later deployment keeps
	}
	return nil
}

// Deployments lists what is active, by name.
func (e *Engine) Deployments() []*flow.Deployment {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []*flow.Deployment
	for _, d := range e.deployments {
		list = append(list, d.d)
	}
	slices.SortFunc(list, func(a, b *flow.Deployment) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

func (e *Engine) deployment(name string) (*deployed, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	d := e.deployments[name]
	if d == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNotDeployed)
	}
	return d, nil
}

// ByHand is the trigger's name in executions that were started by hand.
const ByHand = "Manual"

// Start starts a flow of a deployment by hand, with arguments for its
// parameters. It returns the execution's id, or an error if the flow's overlap
// policy does not let it run at once.
func (e *Engine) Start(deployment, name string, args []flow.Arg) (id string, err error) {
	d, err := e.deployment(deployment)
	if err != nil {
		return "", err
	}
	r := d.runner(name)
	if r == nil {
		var names []string
		for _, r := range d.runners {
			names = append(names, r.def.Name)
		}
		return "", fmt.Errorf("%s has no flow %q%s", deployment, name, suggest.From(name, names))
	}
	o := &occasion{s: d.scene, trigger: ByHand, at: time.Now()}
	s, err := r.bind(o, args)
	if err != nil {
		return "", err
	}
	id, ok := r.start(s)
	if !ok { // it has ended since it was found
		if _, err := e.deployment(deployment); err != nil {
			return "", err
		}
		return "", fmt.Errorf("%s: %w", deployment, ErrNotDeployed) // another has taken its place
	}
	if id == "" {
		return "", fmt.Errorf("flow %s runs already; it starts when its turn comes, or not at all, as its overlap says", name)
	}
	return id, nil
}

// Fire sets off a trigger of a deployment by hand, with the values of the event
// that it would have, or nil. Its condition is looked at.
func (e *Engine) Fire(deployment, trigger string, values flow.Values) error {
	d, err := e.deployment(deployment)
	if err != nil {
		return err
	}
	for i := range d.d.Triggers {
		t := &d.d.Triggers[i]
		if t.Name != trigger {
			continue
		}
		n := d.trigger(t)
		o := n.happened(time.Now(), values)
		if t.Event != nil && t.Event.When != nil {
			if ok, err := t.Event.When.True(o); err != nil || !ok {
				return errors.Join(fmt.Errorf("the condition of trigger %s does not hold", trigger), err)
			}
		}
		return n.fire(o)
	}
	return fmt.Errorf("%s has no trigger %q", deployment, trigger)
}

// Abort aborts an execution that runs.
func (e *Engine) Abort(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.deployments {
		for _, r := range d.runners {
			if r.abort(id) {
				return nil
			}
		}
	}
	return fmt.Errorf("no execution %s runs", id)
}

// Runs reports whether an execution runs.
func (e *Engine) Runs(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.deployments {
		for _, r := range d.runners {
			if r.runs(id) {
				return true
			}
		}
	}
	return false
}

// Stats returns the counts of a deployment's flows.
func (e *Engine) Stats(deployment string) ([]Stats, error) {
	d, err := e.deployment(deployment)
	if err != nil {
		return nil, err
	}
	var list []Stats
	for _, r := range d.runners {
		list = append(list, r.statistics())
	}
	return list, nil
}

// Vars returns the kept variables of a deployment.
func (e *Engine) Vars(deployment string) (map[string]any, error) {
	d, err := e.deployment(deployment)
	if err != nil {
		return nil, err
	}
	return d.vars(), nil
}
