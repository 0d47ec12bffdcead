package flowhost

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/history"
	"pithings/flow/service"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
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
	// Clock reports whether the time is known; nil: it is.
	Clock *clock.Clock
	// Recorder, if not nil, gets what the history gets.
	Recorder engine.Recorder
	Log      *slog.Logger
}

// Flows are the flows of a state folder. Between Run and Close they run;
// otherwise they are only kept.
type Flows struct {
	p    Parts
	read *reader
	*table
	keeper   keeper
	carriers *carriers

	// one is held while something changes what is deployed.
	one     sync.Mutex
	sharing sharing
	// fixed are those of the configuration, since this process has it.
	fixed []*document
	since time.Time

	mu      sync.Mutex     // of what follows; never held while the engine works
	live    bool           // between Run and Close
	ready   bool           // and Run has activated all
	engine  *engine.Engine // from the first flow on: most processes have none
	history *history.History
	docs    map[*flow.Deployment]*document
	inForce map[string]*document
}

// Open reads what is deployed in a folder. Nothing runs yet.
func Open(p Parts) (*Flows, error) {
	f := &Flows{p: p, since: time.Now(), read: newReader(), keeper: keeper{filepath.Join(p.State, "flow-values")}, carriers: newCarriers(p.Things, p.Link, p.Log),
		sharing: sharing{}, docs: map[*flow.Deployment]*document{}, inForce: map[string]*document{}}
	var err error
	f.table, err = openTable(filepath.Join(p.State, "flows"), func(path string, err error) {
		p.Log.Error("deployment unreadable, left out", "file", path, "err", err)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Kept reports whether there are deployments in a state folder.
func Kept(state string) bool {
	entries, err := os.ReadDir(filepath.Join(state, "flows"))
	return err == nil && len(entries) > 0
}

// Builtin is the built-in SecurityFlow, as the configuration gives it.
type Builtin struct {
	Name    string
	Things  map[string]string // by role
	Every   bool              // every event starts it, also one that reports no motion
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
	// Deployed stays zero: its clocks count from when they first ran, which the engine keeps.
	if slices.ContainsFunc(f.fixed, func(other *document) bool { return other.deployment.Name == d.deployment.Name }) {
		return fmt.Errorf("a second flow of the configuration is named %q; give it another name", d.deployment.Name)
	}
	if _, ok := f.state(d.deployment.Name); ok {
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
	var problems flow.Problems
	d.check(f.carriers, f.library(d), &problems)
	return problems.Err()
}

func (f *Flows) library(d *document) library { return library{d.models, f.read.builtin} }

// Any reports whether there is anything to run or to end: of the configuration, or
// deployed.
func (f *Flows) Any() bool {
	return len(f.fixed) > 0 || slices.ContainsFunc(slices.Collect(f.all()), func(s state) bool { return s.Status != NotDeployed })
}

// Run activates what is deployed. What cannot be activated is FAILED, logged,
// and tried again at the next start; only a flow of the configuration ends it.
func (f *Flows) Run() (err error) {
	f.one.Lock()
	defer f.one.Unlock()
	f.mu.Lock()
	f.live = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ready = err == nil
	}()
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
			f.p.Log.Error("flow not resumed", "deployment", s.Name, "err", err)
		}
	}
	f.abortLost()
	return nil
}

// abortLost records the end of executions that no deployment continues.
func (f *Flows) abortLost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.history != nil {
		f.history.AbortUnless(f.engine.Runs)
	}
}

// begin makes the engine and opens the history, unless they are there. one is held.
func (f *Flows) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.engine != nil {
		return
	}
	o := engine.Options{Device: f.device, Services: f.services, Keeper: f.keeper, Clock: f.p.Clock, Recorder: f.p.Recorder, Log: f.p.Log}
	if h, err := openHistory(f.p); err != nil {
		f.p.Log.Error("history of executions not kept", "err", err)
	} else {
		f.history = h
		if o.Recorder = h; f.p.Recorder != nil {
			o.Recorder = both{h, f.p.Recorder}
		}
	}
	f.engine = engine.New(o)
}

func openHistory(p Parts) (*history.History, error) {
	return history.Open(filepath.Join(p.State, "executions"), history.Options{Waits: true, Log: p.Log})
}

// resume activates a deployment that was active before.
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
		return nil // the folder has that already
	}
	return f.set(s.Name, DeployedInTarget, s.Revision, "")
}

// device implements engine.Options.Device.
func (f *Flows) device(d *flow.Deployment, b flow.Binding) (device.Actor, error) {
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

// deploy makes a document the active one, in the place of the one of the same name. one is
// held.
func (f *Flows) deploy(d *document) error {
	d.asks = f.askings(d)
	if err := f.sharing.check(d); err != nil {
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
	f.sharing.note(d, true)
	if old != nil {
		f.release(old)
	}
	return nil
}

func (f *Flows) release(d *document) {
	f.sharing.note(d, false)
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
	f.live, f.ready, f.engine, f.history = false, false, nil, nil
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

func (f *Flows) running() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live
}

// askings lists what the flows of a document wait for.
func (f *Flows) askings(d *document) (all []asking) {
	for _, b := range d.deployment.Things {
		seen, err := f.carriers.describe(d.deployment, b, f.library(d))
		if err != nil {
			continue // reported when it is deployed
		}
		for _, fl := range d.deployment.Flows {
			for _, s := range fl.Definition.Steps {
				do, ok := s.Activity.(*flow.DeviceAction)
				if !ok || do.Role != "" && do.Role != b.Role {
					continue
				}
				action, ok := seen.model.Action(do.Action)
				if !ok || action.Answer == "" {
					continue
				}
				one := asking{thing: b.Thing, flow: d.deployment.Name + "/" + fl.Definition.Name}
				if action.Token == "" {
					one.model = seen.model.ID
				}
				if !slices.Contains(all, one) {
					all = append(all, one)
				}
			}
		}
	}
	return all
}

func (f *Flows) isFixed(name string) bool {
	return slices.ContainsFunc(f.fixed, func(d *document) bool { return d.deployment.Name == name })
}
