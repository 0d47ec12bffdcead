package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/flow"
)

// Recorder keeps the history of executions. Its methods return at once: they
// wait for no disk. The calls for one execution come in the order of its events.
type Recorder interface {
	// Started tells of a new execution, before its first event.
	Started(flow.Execution)
	// Event tells of an event of the execution with that id.
	Event(id string, e flow.ExecutionEvent)
	// Ended tells how an execution ended, after its last event.
	Ended(flow.Execution)
}

// Services runs actions of web services. Its errors may have ErrorName, as those
// of a flow.Device.
type Services interface {
	Call(ctx context.Context, service, action string, input flow.Values) (any, error)
}

// Options are what an engine is made of.
type Options struct {
	// Device returns what plays a role of a deployment. It is asked when the
	// deployment is deployed, and returns the same comparable value for the same
	// thing, carrier and description.
	Device func(*flow.Deployment, flow.Binding) (flow.Device, error)
	// Services returns the web services that a deployment may call, nil if none;
	// then one that calls some is refused. It may be nil itself.
	Services func(*flow.Deployment) Services
	// Recorder may be nil: then no history is kept.
	Recorder Recorder
	Log      *slog.Logger
}

// Engine runs deployments. It lives from New to Close.
type Engine struct {
	o   Options
	off rules // of tests

	ctx    context.Context
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup // executions and ticks

	mu          sync.Mutex
	closed      bool
	deployments map[string]*deployed
	watches     map[watchKey]*watch
	lanes       map[string]*lane // by thing, whatever carries its actions
}

// Errors of the engine.
var (
	ErrClosed      = errors.New("the flow engine has ended")
	ErrNotDeployed = errors.New("not deployed")
)

// The reasons for which executions are aborted.
var (
	errEngineEnds  = errors.New("the engine was stopped")
	errUndeployed  = errors.New("the deployment was undeployed")
	errRedeployed  = errors.New("a new revision was deployed")
	errRestarted   = errors.New("the flow was started again (overlap: restart)")
	errAbortedHand = errors.New("somebody aborted it")
)

// New returns an engine without deployments. Close must follow.
func New(o Options) *Engine {
	e := &Engine{o: o, deployments: map[string]*deployed{}, watches: map[watchKey]*watch{}, lanes: map[string]*lane{}}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
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
		e.stop(d, errEngineEnds)
	}
	e.cancel(errEngineEnds)
	e.tasks.Wait()
	return nil
}

// deployed is a deployment that is in force.
type deployed struct {
	e        *Engine
	d        *flow.Deployment
	services Services
	devices  []flow.Device // of d.Things
	runners  []*runner     // of d.Flows
	subs     []*subscription
	clocks   []*clock
}

// Deploy checks a deployment and puts it in force, in the place of the one of
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
	n := &deployed{e: e, d: d, services: services, devices: make([]flow.Device, len(d.Things))}
	for i, b := range d.Things {
		device, err := e.o.Device(d, b)
		if err != nil {
			return fmt.Errorf("%s, role %s: %w", d.Name, b.Role, err)
		}
		n.devices[i] = device
	}
	n.runners = make([]*runner, len(d.Flows))
	for i := range d.Flows {
		n.runners[i] = newRunner(n, &d.Flows[i])
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	if err := e.watchAll(n); err != nil {
		e.unwatch(n)
		e.mu.Unlock()
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	old := e.deployments[d.Name]
	e.deployments[d.Name] = n
	if old != nil {
		e.unwatch(old)
	}
	e.mu.Unlock()
	if old != nil {
		e.stop(old, errRedeployed)
	}
	for _, c := range n.clocks {
		c.start()
	}
	return nil
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
	e.unwatch(d)
	e.mu.Unlock()
	e.stop(d, errUndeployed)
	return nil
}

// Deployments lists what is in force, by name.
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

func (d *deployed) runner(name string) *runner {
	for _, r := range d.runners {
		if r.def.Name == name || name != "" && r.def.URN == name {
			return r
		}
	}
	return nil
}

// ByHand is the trigger's name in executions that somebody started.
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
		return "", fmt.Errorf("%s has no flow %q%s", deployment, name, flow.Suggest(name, names))
	}
	o := &occasion{d: d, trigger: ByHand, at: time.Now()}
	s, err := r.bind(o, args)
	if err != nil {
		return "", err
	}
	id = r.start(s)
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
		o := &occasion{d: d, trigger: t.Name, at: time.Now(), event: values}
		if t.Event != nil && t.Event.When != nil {
			if ok, err := t.Event.When.True(o); err != nil || !ok {
				return errors.Join(fmt.Errorf("the condition of trigger %s does not hold", trigger), err)
			}
		}
		return fire(o, t)
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

// stop ends what a deployment does; it does not wait for its executions.
func (e *Engine) stop(d *deployed, why error) {
	e.mu.Lock()
	e.unwatch(d)
	e.mu.Unlock()
	for _, c := range d.clocks {
		c.stop()
	}
	for _, r := range d.runners {
		r.stop(why)
	}
}

// Stats count what a flow did since it was deployed.
type Stats struct {
	Flow      string `json:"flow"`
	Started   uint64 `json:"started"`
	Succeeded uint64 `json:"succeeded"`
	Failed    uint64 `json:"failed"`
	Aborted   uint64 `json:"aborted"`
	Dropped   uint64 `json:"dropped"` // starts that the overlap policy let fall
	TooOld    uint64 `json:"too_old"` // events that came too late to start anything
	Errors    uint64 `json:"errors"`  // triggers whose expressions could not be computed
	Running   int    `json:"running"`
	Waiting   int    `json:"waiting"`
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
