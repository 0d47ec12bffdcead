package flows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/agent/control"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/history"
	"pithings/flow/service"
	"pithings/mqttlink"
)

// Parts are what flows are made of.
type Parts struct {
	// State is the folder for what outlives the process. It must be owned.
	State string
	// Things are those of this process, by name.
	Things map[string]Thing
	// Link is the connection through which all others are reached; nil is none.
	Link mqttlink.Client
	// Services bounds what flows may reach of web services.
	Services service.Options
	Log      *slog.Logger
}

// Flows are the flows of a state folder. Between Run and Close they run;
// otherwise they are only kept.
type Flows struct {
	p        Parts
	read     *reader
	store    store
	carriers *carriers

	// one is held by whoever changes what is deployed.
	one    sync.Mutex
	askers map[string]*askers // by thing
	// fixed are those of the configuration.
	fixed []*document

	mu      sync.Mutex     // of what follows; never held while the engine works
	live    bool           // between Run and Close
	engine  *engine.Engine // from the first flow on: most processes have none
	history *history.History
	states  map[string]*state
	docs    map[*flow.Deployment]*document
	inForce map[string]*document
}

// Open reads what is deployed in a folder. Nothing runs yet.
func Open(p Parts) (*Flows, error) {
	f := &Flows{p: p, read: newReader(), store: store{filepath.Join(p.State, "flows")}, carriers: newCarriers(p.Things, p.Link, p.Log),
		askers: map[string]*askers{}, docs: map[*flow.Deployment]*document{}, inForce: map[string]*document{}}
	var err error
	f.states, err = f.store.states(func(path string, err error) {
		p.Log.Error("a deployment cannot be read and is left out", "file", path, "err", err)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Kept tells whether there are deployments in a state folder.
func Kept(state string) bool {
	entries, err := os.ReadDir(filepath.Join(state, "flows"))
	return err == nil && len(entries) > 0
}

// Builtin is the built-in SecurityFlow, as the configuration gives it.
type Builtin struct {
	Name    string
	Things  map[string]string // by role
	Every   bool              // every event starts it, also one that tells of no motion
	Carrier string
	Timeout time.Duration
	Shared  string
}

// AddBuiltin adds the built-in flow to what runs, before Run.
func (f *Flows) AddBuiltin(b Builtin) error {
	d := flow.SecurityFlow()
	// A configuration's flows may be named anyhow; deployments have no blanks.
	b.Name = strings.NewReplacer(" ", "_", "/", "_", `\`, "_").Replace(b.Name)
	for same, name := 2, b.Name; f.isFixed(b.Name); same++ {
		b.Name = fmt.Sprintf("%s-%d", name, same)
	}
	d.Flows[0].Definition.Name = b.Name
	d.Triggers[0].Start[0].Flow = b.Name
	if b.Every {
		d.Triggers[0].Event.When = nil
	}
	return f.fix(&document{of: b.Name, deployment: d, known: f.read.known()},
		Options{Name: b.Name, Things: b.Things, Carrier: b.Carrier, Shared: b.Shared}, b.Timeout)
}

// AddFiles adds the flows of files to what runs, before Run. timeout, if not 0, is
// that of steps which name none.
func (f *Flows) AddFiles(r DeployRequest, timeout time.Duration) error {
	all, err := f.read.read(r.Files, r.Options)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := f.fix(d, r.Options, timeout); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flows) fix(d *document, o Options, timeout time.Duration) error {
	var problems flow.Problems
	d.apply(o, &problems)
	if err := problems.Err(); err != nil {
		return err
	}
	if timeout > 0 {
		d.deployment.Timeout = timeout
	}
	d.deployment.Deployed = time.Now()
	if slices.ContainsFunc(f.fixed, func(other *document) bool { return other.deployment.Name == d.deployment.Name }) {
		return fmt.Errorf("a second flow of the configuration is named %q; give it another name", d.deployment.Name)
	}
	if f.states[d.deployment.Name] != nil {
		return fmt.Errorf("the flow %q of the configuration has the name of a deployed one; give it another name, or delete that: pithings flow delete %s", d.deployment.Name, d.deployment.Name)
	}
	if err := f.check(d); err != nil {
		return err
	}
	f.fixed = append(f.fixed, d)
	return nil
}

// check looks whether the things of a deployment can be reached, without reaching
// for them.
func (f *Flows) check(d *document) error {
	for _, b := range d.deployment.Things {
		if _, err := f.carriers.describe(d.deployment, b, f.library(d)); err != nil {
			return fmt.Errorf("%s, role %s: %w", d.deployment.Name, b.Role, err)
		}
	}
	return nil
}

func (f *Flows) library(d *document) library { return library{d.models, f.read.builtin} }

// Any tells whether there is anything to run or to end: of the configuration, or
// deployed.
func (f *Flows) Any() bool {
	return len(f.fixed) > 0 || slices.ContainsFunc(slices.Collect(f.all()), func(s state) bool { return s.Status != NotDeployed })
}

// Run puts in force what is deployed. What cannot be put in force is FAILED, told,
// and tried again at the next start; only a flow of the configuration's ends it.
func (f *Flows) Run() error {
	f.one.Lock()
	defer f.one.Unlock()
	f.mu.Lock()
	f.live = true
	f.mu.Unlock()
	if !f.Any() {
		return nil
	}
	f.begin()
	for _, d := range f.fixed {
		if err := f.deploy(d); err != nil {
			return err
		}
	}
	for s := range f.all() {
		var err error
		switch {
		case s.Status == PendingDelete:
			err = f.remove(s.Name)
		case s.Status == UndeployInProgress:
			err = f.set(s.Name, NotDeployed, s.Revision, "")
		case s.Status.wanted():
			err = f.resume(s)
		}
		if err != nil {
			f.p.Log.Error("a flow is not as it was before", "deployment", s.Name, "err", err)
		}
	}
	return nil
}

// begin makes the engine and opens the history, unless they are there. one is held.
func (f *Flows) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.engine != nil {
		return
	}
	o := engine.Options{Device: f.device, Services: f.services, Log: f.p.Log}
	if h, err := openHistory(f.p); err != nil {
		f.p.Log.Error("executions of flows are not kept", "err", err)
	} else {
		f.history, o.Recorder = h, h
	}
	f.engine = engine.New(o)
}

func openHistory(p Parts) (*history.History, error) {
	return history.Open(filepath.Join(p.State, "executions"), history.Options{Log: p.Log})
}

// resume puts a deployment in force that was before.
func (f *Flows) resume(s state) error {
	snapshot, err := f.store.revision(s.Name, s.Revision)
	var d *document
	if err == nil {
		d, err = f.read.restore(snapshot)
	}
	if err == nil {
		err = f.deploy(d)
	}
	if err != nil {
		return errors.Join(err, f.set(s.Name, Failed, s.Revision, err.Error()))
	}
	if s.Status == DeployedInTarget {
		return nil // so says the folder already
	}
	return f.set(s.Name, DeployedInTarget, s.Revision, "")
}

// device is the engine's question.
func (f *Flows) device(d *flow.Deployment, b flow.Binding) (flow.Device, error) {
	f.mu.Lock()
	doc := f.docs[d]
	f.mu.Unlock()
	return f.carriers.device(d, b, f.library(doc))
}

// services is the engine's question too.
func (f *Flows) services(d *flow.Deployment) engine.Services {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.docs[d].calls; s != nil {
		return s
	}
	return nil
}

// deploy puts a document in force, in the place of the one of the same name. one is
// held.
func (f *Flows) deploy(d *document) error {
	d.asks = f.askings(d)
	if err := f.checkShared(d); err != nil {
		return err
	}
	if len(d.services) > 0 {
		var err error
		if d.calls, err = service.New(d.services, f.p.Services); err != nil {
			return fmt.Errorf("%s: %w", d.deployment.Name, err)
		}
	}
	f.mu.Lock()
	f.docs[d.deployment] = d
	old := f.inForce[d.deployment.Name]
	f.mu.Unlock()
	if err := f.engine.Deploy(d.deployment); err != nil {
		f.release(d)
		return err
	}
	f.mu.Lock()
	f.inForce[d.deployment.Name] = d
	f.mu.Unlock()
	d.files, d.known = nil, flow.Known{} // 10,000 flows are many texts
	f.asked(d, true)
	if old != nil {
		f.release(old)
	}
	return nil
}

func (f *Flows) release(d *document) {
	f.asked(d, false)
	f.carriers.release(d.deployment)
	if d.calls != nil {
		d.calls.Close()
	}
	f.mu.Lock()
	delete(f.docs, d.deployment)
	f.mu.Unlock()
}

// undeploy takes what has that name out of force, if anything has. one is held.
func (f *Flows) undeploy(name string) error {
	f.mu.Lock()
	d := f.inForce[name]
	delete(f.inForce, name)
	f.mu.Unlock()
	if d == nil {
		return nil
	}
	err := f.engine.Undeploy(name)
	f.release(d)
	return err
}

// Close ends all executions. What is deployed stays deployed.
func (f *Flows) Close() error {
	f.one.Lock()
	defer f.one.Unlock()
	f.mu.Lock()
	e, h := f.engine, f.history
	f.live, f.engine, f.history = false, nil, nil
	f.mu.Unlock()
	if e == nil {
		return nil
	}
	err := e.Close()
	f.mu.Lock()
	all := f.docs
	f.docs, f.inForce = map[*flow.Deployment]*document{}, map[string]*document{}
	f.mu.Unlock()
	for _, d := range all {
		f.release(d)
	}
	if h != nil {
		err = errors.Join(err, h.Close())
	}
	return err
}

// all lists the states, by name.
func (f *Flows) all() func(yield func(state) bool) {
	f.mu.Lock()
	var list []state
	for _, s := range f.states {
		list = append(list, *s)
	}
	f.mu.Unlock()
	slices.SortFunc(list, func(a, b state) int { return strings.Compare(a.Name, b.Name) })
	return slices.Values(list)
}

func (f *Flows) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.states)
}

// set keeps the state of a deployment.
func (f *Flows) set(name string, s Status, revision int, reason string) error {
	const long = 4096
	if len(reason) > long {
		reason = strings.ToValidUTF8(reason[:long], "") + "…"
	}
	one := &state{Name: name, Status: s, Revision: revision, Reason: reason}
	err := f.store.put(one)
	f.mu.Lock()
	f.states[name] = one // also if the disk does not take it: so it is
	f.mu.Unlock()
	return err
}

func (f *Flows) state(name string) (state, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.states[name]
	if s == nil {
		return state{}, false
	}
	return *s, true
}

func (f *Flows) running() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live
}

// refusal is an error that the caller can mend.
type refusal struct{ error }

// Unwrap lets the control socket answer with a status.
func (r refusal) Unwrap() []error { return []error{r.error, control.Status(http.StatusConflict)} }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// ReadFile reads a file for Deploy.
func ReadFile(path string) (File, error) {
	info, err := os.Stat(path) // before it is opened: a named pipe would wait for a writer
	switch {
	case err != nil:
		return File{}, err
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxSnapshot:
		return File{}, fmt.Errorf("%s is larger than %d MiB", path, maxSnapshot>>20)
	}
	text, err := os.ReadFile(path)
	return File{path, string(text)}, err
}

// Deploy deploys what is in the files, each deployment in the place of the one of
// the same name. The first that cannot be deployed ends it; those before it stay.
func (f *Flows) Deploy(_ context.Context, r DeployRequest) ([]Deployed, error) {
	all, err := f.read.read(r.Files, r.Options)
	if err != nil {
		return nil, refusal{err}
	}
	f.one.Lock()
	defer f.one.Unlock()
	var done []Deployed
	for _, d := range all {
		s, err := f.deployOne(d, r.Options)
		if err != nil {
			return done, err
		}
		done = append(done, s)
	}
	return done, nil
}

func (f *Flows) deployOne(d *document, o Options) (Deployed, error) {
	name := d.deployment.Name
	if f.isFixed(name) {
		return Deployed{}, refuse("%s is a flow of the agent's configuration; deploy under another name with --name", name)
	}
	before, was := f.state(name)
	if !was && f.count() >= MaxDeployments {
		return Deployed{}, refuse("there are %d deployments already; delete some", MaxDeployments)
	}
	kept, err := f.store.revisions(name)
	if err != nil {
		return Deployed{}, err
	}
	snapshot := d.snapshot(o)
	snapshot.Revision, snapshot.Deployed = max(before.Revision, append(kept, 0)[max(len(kept)-1, 0)])+1, time.Now().UTC()
	d.deployment.Revision, d.deployment.Deployed = snapshot.Revision, snapshot.Deployed
	if f.running() {
		if err := f.check(d); err != nil {
			return Deployed{}, refusal{err}
		}
	}
	if err := f.store.add(snapshot); err != nil {
		return Deployed{}, err
	}
	if !f.running() {
		if err := f.set(name, Bootstrap, snapshot.Revision, ""); err != nil {
			return Deployed{}, err
		}
		return f.deployed(name), f.store.prune(name, snapshot.Revision)
	}
	f.begin()
	if err := f.set(name, DeployInProgress, snapshot.Revision, ""); err != nil {
		return Deployed{}, err
	}
	if err := f.deploy(d); err != nil {
		if was && before.Status == DeployedInTarget { // the engine has left it as it was
			err = errors.Join(fmt.Errorf("%w; revision %d stays in force", err, before.Revision), f.set(name, before.Status, before.Revision, ""), f.store.drop(name, snapshot.Revision))
		} else {
			err = errors.Join(err, f.set(name, Failed, snapshot.Revision, err.Error()))
		}
		return Deployed{}, refusal{err}
	}
	if err := f.set(name, DeployedInTarget, snapshot.Revision, ""); err != nil {
		f.p.Log.Error("a flow is deployed, but the folder does not say so", "deployment", name, "err", err)
	}
	f.p.Log.Info("flow deployed", "deployment", name, "revision", snapshot.Revision)
	if err := f.store.prune(name, snapshot.Revision); err != nil {
		f.p.Log.Warn("old revisions are not removed", "deployment", name, "err", err)
	}
	return f.deployed(name), nil
}

func (f *Flows) isFixed(name string) bool {
	return slices.ContainsFunc(f.fixed, func(d *document) bool { return d.deployment.Name == name })
}

// find returns the state of a deployment that can be changed.
func (f *Flows) find(name string) (state, error) {
	if f.isFixed(name) {
		return state{}, refuse("%s is a flow of the agent's configuration; take it out there, and restart the agent", name)
	}
	s, ok := f.state(name)
	if !ok {
		var names []string
		for s := range f.all() {
			names = append(names, s.Name)
		}
		return s, refuse("there is no deployment %q%s", name, flow.Suggest(name, names))
	}
	return s, nil
}

// Undeploy takes a deployment out of force and keeps it.
func (f *Flows) Undeploy(_ context.Context, name string) (Deployed, error) {
	f.one.Lock()
	defer f.one.Unlock()
	s, err := f.find(name)
	if err != nil {
		return Deployed{}, err
	}
	if err := f.set(name, UndeployInProgress, s.Revision, ""); err != nil {
		f.p.Log.Error("a flow is undeployed, but the folder does not say so", "deployment", name, "err", err)
	}
	if err := f.undeploy(name); err != nil {
		return Deployed{}, err
	}
	if err := f.set(name, NotDeployed, s.Revision, ""); err != nil {
		return Deployed{}, fmt.Errorf("%s is undeployed until the next start only: %w", name, err)
	}
	f.p.Log.Info("flow undeployed", "deployment", name)
	return f.deployed(name), nil
}

// Delete removes a deployment with its revisions. One that is in force is refused,
// unless it is forced.
func (f *Flows) Delete(_ context.Context, name string, force bool) (Deployed, error) {
	f.one.Lock()
	defer f.one.Unlock()
	s, err := f.find(name)
	if err != nil {
		return Deployed{}, err
	}
	if s.Status.wanted() && s.Status != Failed && !force {
		return Deployed{}, refuse("%s is deployed; undeploy it first (pithings flow undeploy %s), or delete it with --force", name, name)
	}
	if err := f.set(name, PendingDelete, s.Revision, ""); err != nil {
		return Deployed{}, err
	}
	if err := f.undeploy(name); err != nil {
		return Deployed{}, err
	}
	if err := f.remove(name); err != nil {
		return Deployed{}, err
	}
	f.p.Log.Info("flow deleted", "deployment", name)
	return Deployed{Name: name, Status: DeletedInTarget, Revision: s.Revision, Since: time.Now().UTC()}, nil
}

func (f *Flows) remove(name string) error {
	if err := f.store.remove(name); err != nil {
		return err
	}
	f.mu.Lock()
	delete(f.states, name)
	f.mu.Unlock()
	return nil
}
