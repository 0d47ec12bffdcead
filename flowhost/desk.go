package flowhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/flowyaml"
	"pithings/flow/history"
	"pithings/things"
)

// Desk is what can be done with the flows of a state folder: by the agent that owns
// it, or by the process that takes it while none does.
type Desk interface {
	// Deploy deploys what is in files.
	Deploy(context.Context, DeployRequest) ([]Deployed, error)
	// Undeploy takes a deployment out of force and keeps it.
	Undeploy(ctx context.Context, name string) (Deployed, error)
	// Delete removes a deployment that is not active, or any if forced.
	Delete(ctx context.Context, name string, force bool) (Deployed, error)
	// List returns all deployments, by name.
	List(context.Context) ([]Deployed, error)
	// Show returns one in all detail; revision 0 is the active one.
	Show(ctx context.Context, name string, revision int) (Shown, error)
	// Start starts a flow by hand and returns the execution's id.
	Start(context.Context, StartRequest) (id string, err error)
	// Executions lists executions, the newest first.
	Executions(context.Context, history.Filter) ([]flow.Execution, error)
	// Execution returns one with its events.
	Execution(ctx context.Context, id string) (Story, error)
}

type engineStats = engine.Stats

// Shown is a deployment in detail.
type Shown struct {
	Deployed
	Revisions []int     `json:"revisions,omitempty"`
	Snapshot  *Snapshot `json:"snapshot,omitempty"` // nil of the configuration's
	Things    []Bound   `json:"things"`
	Triggers  []string  `json:"triggers"`
	// Vars are the variables that are kept between executions.
	Vars map[string]any `json:"vars,omitempty"`
	// YAML is the deployment that is active, in our own format.
	YAML string `json:"yaml"`
}

// Bound is a thing that plays a role.
type Bound struct {
	Role    string `json:"role"`
	Thing   string `json:"thing"`
	Carrier string `json:"carrier"`
}

// StartRequest is a flow to be started.
type StartRequest struct {
	Deployment string         `json:"deployment"`
	Flow       string         `json:"flow,omitempty"` // "" is the only one
	Args       map[string]any `json:"args,omitempty"`
}

// Story is an execution with its events.
type Story struct {
	Execution flow.Execution        `json:"execution"`
	Events    []flow.ExecutionEvent `json:"events"`
}

func (f *Flows) deployed(name string) Deployed {
	s, _ := f.state(name)
	d := Deployed{Name: s.Name, Status: s.Status, Revision: s.Revision, Reason: s.Reason, Since: s.Since}
	d.Flows = f.flowStats(name)
	return d
}

func (f *Flows) flowStats(name string) []engine.Stats {
	f.mu.Lock()
	e := f.engine
	f.mu.Unlock()
	if e == nil {
		return nil
	}
	stats, err := e.Stats(name)
	if err != nil {
		return nil // it is not active
	}
	return stats
}

// List implements Desk.
func (f *Flows) List(context.Context) ([]Deployed, error) {
	list := []Deployed{}
	for _, d := range f.fixed {
		list = append(list, f.configured(d))
	}
	for s := range f.all() {
		list = append(list, f.deployed(s.Name))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

// Stats counts what the active flows did, by deployment.
func (f *Flows) Stats() map[string][]engine.Stats {
	f.mu.Lock()
	names := slices.Sorted(maps.Keys(f.inForce))
	f.mu.Unlock()
	m := map[string][]engine.Stats{}
	for _, name := range names {
		m[name] = f.flowStats(name)
	}
	return m
}

// Unused counts what came from things at the broker and was of no use, by thing.
func (f *Flows) Unused() map[string]things.RemoteStats { return f.carriers.stats() }

func (f *Flows) configured(d *document) Deployed {
	one := Deployed{Name: d.deployment.Name, Status: NotDeployed, Source: "configuration", Since: f.since}
	if f.running() {
		one.Status, one.Flows = DeployedInTarget, f.flowStats(one.Name)
	}
	return one
}

// Show implements Desk.
func (f *Flows) Show(_ context.Context, name string, revision int) (Shown, error) {
	for _, d := range f.fixed {
		if d.deployment.Name == name && revision == 0 {
			return f.shown(f.configured(d), d)
		}
	}
	s, err := f.find(name)
	if err != nil {
		return Shown{}, err
	}
	snapshot, err := f.store.revision(name, cmp.Or(revision, s.Revision))
	if err != nil {
		return Shown{}, refusal{err}
	}
	d, err := f.read.restore(snapshot)
	if err != nil {
		return Shown{}, refusal{fmt.Errorf("revision %d of %s cannot be read: %w", snapshot.Revision, name, err)}
	}
	one, err := f.shown(f.deployed(name), d)
	if err != nil {
		return one, err
	}
	one.Snapshot = snapshot
	one.Revisions, err = f.store.revisions(name)
	return one, err
}

func (f *Flows) shown(in Deployed, d *document) (Shown, error) {
	one := Shown{Deployed: in}
	for _, b := range d.deployment.Things {
		carrier := string(b.Carrier)
		if b.Carrier == flow.Auto {
			carrier = "auto"
			if f.running() {
				carrier = "auto: " + f.carriers.way(d.deployment, b)
			}
		}
		one.Things = append(one.Things, Bound{b.Role, b.Thing, carrier})
	}
	for _, t := range d.deployment.Triggers {
		one.Triggers = append(one.Triggers, triggerLine(t))
	}
	one.Vars = f.vars(d.deployment.Name)
	text, err := d.yaml()
	one.YAML = string(text)
	return one, err
}

// vars are the kept variables of a deployment.
func (f *Flows) vars(name string) map[string]any {
	f.mu.Lock()
	e := f.engine
	f.mu.Unlock()
	if e != nil {
		if vars, err := e.Vars(name); err == nil {
			return vars
		}
	}
	return engine.KeptVars(f.keeper, name)
}

func (d *document) yaml() ([]byte, error) {
	return flowyaml.Print(&flowyaml.File{Deployment: d.deployment, Models: d.models, Services: d.services})
}

func triggerLine(t flow.Trigger) string {
	line := t.Name + ": "
	switch {
	case t.Event != nil && t.Event.When != nil:
		line += fmt.Sprintf("%s of %s, when %s", t.Event.Name, t.Event.Role, t.Event.When)
		if t.Event.For > 0 {
			line += fmt.Sprintf(", for %v", t.Event.For)
		}
	case t.Event != nil:
		line += fmt.Sprintf("every %s of %s", t.Event.Name, t.Event.Role)
	case !t.Every.IsZero():
		line += t.Every.String()
	case t.At != nil:
		line += atLine(t.At)
	default:
		line += "by hand"
	}
	return line
}

// atLine is a moment of the day in words.
func atLine(a *flow.At) string {
	line := "at " + a.Moment()
	if a.Sun != "" {
		line += fmt.Sprintf(" at [%v, %v]", a.Lat, a.Lon)
	}
	if a.Offset != 0 {
		line += fmt.Sprintf(", offset %v", a.Offset)
	}
	if names := a.Days.Names(); len(names) > 0 {
		line += ", on " + strings.Join(names, " ")
	}
	if a.Zone != "" {
		line += ", " + a.Zone
	}
	return line
}

// way returns how a role is reached whose carrier is auto.
func (c *carriers) way(d *flow.Deployment, b flow.Binding) string {
	if _, here := c.things[b.Thing]; here && d.Shared == "" {
		return string(flow.Local)
	}
	return string(flow.Broker)
}

// ErrNotRunning is of a Start while the flows do not run: before Run, after Close, and while one
// of them is at work. Nothing was started.
var ErrNotRunning = errors.New("no agent runs with this state folder, so nothing can be started")

// Start implements Desk.
func (f *Flows) Start(_ context.Context, r StartRequest) (string, error) {
	f.mu.Lock()
	live, ready, e, d := f.live, f.ready, f.engine, f.inForce[r.Deployment]
	f.mu.Unlock()
	if !live || d == nil && !ready {
		return "", refusal{ErrNotRunning}
	}
	if d == nil {
		if s, err := f.find(r.Deployment); err != nil && !f.isFixed(r.Deployment) {
			return "", err
		} else {
			return "", refuse("%s is not active (%s); deploy it first", r.Deployment, s.Status.Words())
		}
	}
	if r.Flow == "" {
		var names []string
		for _, fl := range d.deployment.Flows {
			names = append(names, fl.Definition.Name)
		}
		if len(names) > 1 {
			return "", refuse("%s has several flows; name one of %s", r.Deployment, strings.Join(names, ", "))
		}
		r.Flow = names[0]
	}
	var args []flow.Arg
	for _, name := range slices.Sorted(maps.Keys(r.Args)) {
		args = append(args, flow.Arg{Name: name, Value: flow.Value{Literal: r.Args[name]}})
	}
	id, err := e.Start(r.Deployment, r.Flow, args)
	if errors.Is(err, engine.ErrClosed) {
		err = ErrNotRunning
	}
	if err != nil {
		return "", refusal{err}
	}
	return id, nil
}

// Executions implements Desk.
func (f *Flows) Executions(_ context.Context, filter history.Filter) ([]flow.Execution, error) {
	h, done, err := f.opened()
	if err != nil {
		return nil, err
	}
	defer done()
	return h.List(filter), nil
}

// Execution implements Desk. The end of an id, from its uuid on, stands for it.
func (f *Flows) Execution(_ context.Context, id string) (Story, error) {
	h, done, err := f.opened()
	if err != nil {
		return Story{}, err
	}
	defer done()
	for _, x := range h.List(history.Filter{}) {
		if x.ID == id || len(id) >= 4 && strings.HasSuffix(x.ID, id) {
			one, events, err := h.Show(x.ID)
			return Story{one, events}, err
		}
	}
	return Story{}, refusal{fmt.Errorf("%s: %w", id, history.ErrNotFound)}
}

// Await waits for the end of an execution of flows, and returns how it has ended. An error that
// is history.ErrClosed is that the flows have ended before.
func Await(ctx context.Context, f *Flows, id string) (flow.Execution, error) {
	f.mu.Lock()
	h, live := f.history, f.live
	f.mu.Unlock()
	switch {
	case h != nil:
		return h.Await(ctx, id)
	case live:
		return flow.Execution{}, fmt.Errorf("%s: %w", id, history.ErrNotFound)
	}
	return flow.Execution{}, history.ErrClosed
}

// opened returns the history: the one that is open, or one for the moment.
func (f *Flows) opened() (h *history.History, done func(), err error) {
	if f.running() {
		f.one.Lock()
		f.begin()
		f.abortLost()
		f.one.Unlock()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.history == nil {
			return nil, nil, fmt.Errorf("executions are not kept; the log says why")
		}
		return f.history, func() {}, nil
	}
	h, err = openHistory(f.p)
	if err != nil {
		return nil, nil, err
	}
	h.AbortUnless(f.keeper.waits()) // no agent runs
	return h, func() { h.Close() }, nil
}
