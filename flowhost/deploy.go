package flowhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pithings/conf/suggest"
)

// Deploy deploys what is in the files, each deployment in the place of the one of
// the same name. The first that cannot be deployed ends it; those before it stay.
func (f *Flows) Deploy(_ context.Context, r DeployRequest) ([]Deployed, error) {
	if r.Deployment != "" {
		return f.again(r)
	}
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

// again deploys a revision that is kept.
func (f *Flows) again(r DeployRequest) ([]Deployed, error) {
	f.one.Lock()
	defer f.one.Unlock()
	if len(r.Files) > 0 || r.Options.Name != "" {
		return nil, refuse("a deployment that is kept is deployed again under its name, without files; leave out --name and files")
	}
	s, err := f.find(r.Deployment)
	if err != nil {
		return nil, err
	}
	snapshot, err := f.store.revision(s.Name, cmp.Or(r.Revision, s.Revision))
	if err != nil {
		return nil, refusal{err}
	}
	snapshot.Options = snapshot.Options.with(r.Options)
	d, err := f.read.restore(snapshot)
	if err != nil {
		return nil, refusal{fmt.Errorf("revision %d of %s: %w", snapshot.Revision, s.Name, err)}
	}
	o := snapshot.Options
	o.Name = ""
	done, err := f.deployOne(d, o)
	if err != nil {
		return nil, err
	}
	return []Deployed{done}, nil
}

// with are the options with others over them.
func (o Options) with(over Options) Options {
	join := func(a, b map[string]string) map[string]string {
		if len(b) == 0 {
			return a
		}
		all := maps.Clone(a)
		if all == nil {
			return b
		}
		maps.Copy(all, b)
		return all
	}
	return Options{Name: cmp.Or(over.Name, o.Name), Things: join(o.Things, over.Things), Carrier: cmp.Or(over.Carrier, o.Carrier),
		Shared: cmp.Or(over.Shared, o.Shared), Services: join(o.Services, over.Services)}
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
	if err := f.check(d); err != nil {
		return Deployed{}, refusal{err}
	}
	notes := append(slices.Clone(d.notes), f.twice(d.deployment)...)
	deployed := func() Deployed {
		one := f.deployed(name)
		one.Notes = notes
		return one
	}
	if err := f.store.add(snapshot); err != nil {
		return Deployed{}, err
	}
	if !f.running() {
		if err := f.set(name, Bootstrap, snapshot.Revision, ""); err != nil {
			return Deployed{}, err
		}
		return deployed(), f.store.prune(name, snapshot.Revision)
	}
	f.begin()
	f.abortLost()
	if err := f.set(name, DeployInProgress, snapshot.Revision, ""); err != nil {
		return Deployed{}, err
	}
	if err := f.deploy(d); err != nil {
		if was && before.Status == DeployedInTarget { // the engine has left it as it was
			err = errors.Join(fmt.Errorf("%w; revision %d stays active", err, before.Revision), f.set(name, before.Status, before.Revision, ""), f.store.drop(name, snapshot.Revision))
		} else {
			err = errors.Join(err, f.set(name, Failed, snapshot.Revision, err.Error()))
		}
		return Deployed{}, refusal{err}
	}
	if err := f.set(name, DeployedInTarget, snapshot.Revision, ""); err != nil {
		f.p.Log.Error("flow deployed, but its state not saved", "deployment", name, "err", err)
	}
	f.p.Log.Info("flow deployed", "deployment", name, "revision", snapshot.Revision)
	if err := f.store.prune(name, snapshot.Revision); err != nil {
		f.p.Log.Warn("old revisions not removed", "deployment", name, "err", err)
	}
	return deployed(), nil
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
		return s, refuse("there is no deployment %q%s", name, suggest.From(name, names))
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
		f.p.Log.Error("flow undeployed, but its state not saved", "deployment", name, "err", err)
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

// Delete removes a deployment with its revisions. One that is active is refused,
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
	if err := f.keeper.remove(name); err != nil {
		return err
	}
	f.forget(name)
	return nil
}
