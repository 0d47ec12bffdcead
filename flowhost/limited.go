package flowhost

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/makers"
)

// What is written over the network reaches less than what is deployed at the machine, so that
// who may act there can have things do together what they can do, and no more:
//
//   - no model or web service of its own, for a model names any topic, and a service any address,
//     with any secret of the folder. Those of a revision that is kept may stay as they are, for the
//     same things: who stood at the machine has deployed them;
//   - no topic by which machines are managed: those that begin with $, and those of commands;
//   - no action that takes whatever a device's console does.
//
// A flow runs no command of this machine and reads none of its files, whoever deploys it.

// Editor is the flows for who comes over the network.
type Editor struct{ *Flows }

// WriteRequest is a flow as an editor has it, or a revision to return to.
type WriteRequest struct {
	Text       string `json:"text,omitempty" jsonschema:"a flow in YAML"`
	Deployment string `json:"deployment,omitempty" jsonschema:"instead of text, one that is kept"`
	Revision   int    `json:"revision,omitempty" jsonschema:"of deployment; 0: the last one"`
}

// Checked is what is wrong with a text.
type Checked struct {
	Name     string    `json:"name,omitempty" jsonschema:"of the deployment, if it can be read"`
	Problems []Problem `json:"problems"`
	More     int       `json:"more,omitempty" jsonschema:"problems that are not listed"`
	Notes    []string  `json:"notes,omitempty" jsonschema:"worth reading, though nothing is wrong"`
	Graph    []Graph   `json:"graph,omitempty" jsonschema:"its flows, if nothing is wrong"`
}

// Problem is one thing that is wrong, and where.
type Problem struct {
	Line   int32  `json:"line,omitempty" jsonschema:"from 1; 0: of the whole"`
	Column int32  `json:"column,omitempty"`
	Text   string `json:"text"`
}

// textName is what a text from the network is called in messages. It is YAML, by its end.
const textName = "flow.yaml"

// maxWritten is how many deployments there may be for another one to come over the network.
const maxWritten = 100

// Write deploys a text that comes over the network, or a revision that is kept.
func (f Editor) Write(_ context.Context, r WriteRequest) (Deployed, error) {
	if (r.Text == "") == (r.Deployment == "") {
		return Deployed{}, refuse("write a text, or name a deployment that is kept")
	}
	if r.Deployment != "" {
		all, err := f.again(DeployRequest{Deployment: r.Deployment, Revision: r.Revision})
		if err != nil {
			return Deployed{}, err
		}
		return all[0], nil
	}
	f.one.Lock()
	defer f.one.Unlock()
	d, err := f.limited(r.Text)
	if err != nil {
		return Deployed{}, refusal{err}
	}
	return f.deployOne(d, Options{})
}

// Inspect checks a text as Write does, and changes nothing.
func (f Editor) Inspect(_ context.Context, r WriteRequest) (Checked, error) {
	c := Checked{Problems: []Problem{}}
	f.one.Lock()
	defer f.one.Unlock()
	d, err := f.limited(r.Text)
	if d != nil {
		c.Name = d.deployment.Name
	}
	if err == nil {
		err = f.check(d)
	}
	var several *flow.Problems
	switch {
	case err == nil:
		c.Notes, c.Graph = append(slices.Clone(d.notes), f.twice(d.deployment)...), graphs(d.deployment)
	case errors.As(err, &several):
		c.More = several.More
		for _, p := range several.List {
			c.Problems = append(c.Problems, Problem{p.Pos.Line, p.Pos.Column, flow.Problem{Message: p.Message}.String()})
		}
	default:
		c.Problems = append(c.Problems, Problem{Text: err.Error()})
	}
	return c, nil
}

// limited reads a text, and refuses what is not for the network. The document is there, too, if
// it can be read. f.one is held.
func (f Editor) limited(text string) (*document, error) {
	all, err := f.read.read([]File{{textName, text}}, Options{})
	if err != nil {
		return nil, err
	}
	d := all[0]
	var problems flow.Problems
	at := d.deployment.Pos
	const atMachine = "can be deployed at the machine only: pithings flow deploy FILE"
	if f.isFixed(d.deployment.Name) {
		problems.Add(at, "%s is a flow of the agent's configuration; give this one another name", d.deployment.Name)
	}
	if _, was := f.state(d.deployment.Name); !was && !f.isFixed(d.deployment.Name) && f.count() >= maxWritten {
		problems.Add(at, "there are %d deployments already; delete some", f.count())
	}
	kept := f.keptDocument(d.deployment.Name)
	for _, m := range d.models {
		if !slices.ContainsFunc(kept.models, func(k device.Model) bool { return reflect.DeepEqual(k, m) }) {
			problems.Add(at, "the model %s is another than that of the revision that is kept; one of its own %s", m.ID, atMachine)
		}
	}
	for _, s := range d.services {
		if !slices.ContainsFunc(kept.services, func(k flow.ServiceModel) bool { return reflect.DeepEqual(k, s) }) {
			problems.Add(at, "the service %s is another than that of the revision that is kept; one of its own %s", s.ID, atMachine)
		}
	}
	for _, b := range d.deployment.Things {
		at := b.Pos
		if at.Line == 0 {
			at = d.deployment.Pos
		}
		seen, err := f.carriers.describe(d.deployment, b, f.library(d))
		if err != nil {
			continue // which check reports
		}
		_, own := device.FindModel(kept.models, seen.model.ID)
		if own && !slices.ContainsFunc(kept.deployment.Things, func(k flow.Binding) bool { return k.Thing == b.Thing }) {
			problems.Add(at, "role %s: the model %s is for the things of the revision that is kept; for %s it %s", b.Role, seen.model.ID, b.Thing, atMachine)
		}
		for _, topic := range topicsOf(&seen.model) {
			if topic = strings.ReplaceAll(topic, "{thing}", b.Thing); strings.HasPrefix(topic, "$") || strings.HasPrefix(topic, "cmd/") {
				problems.Add(at, "role %s: %s is a topic by which machines are managed; a flow that uses it %s", b.Role, topic, atMachine)
				break
			}
		}
		for _, step := range stepsOf(d.deployment) {
			if a, ok := step.Activity.(*flow.DeviceAction); ok && (a.Role == b.Role || a.Role == "") && makers.Console(seen.model.ID, a.Action) {
				problems.Add(step.Pos, "step %s: %s takes all commands of %s; a flow that uses it %s", step.Name, a.Action, b.Thing, atMachine)
			}
		}
	}
	return d, problems.Err()
}

// keptDocument is the revision that is kept of a deployment; an empty one if there is none.
func (f Editor) keptDocument(name string) *document {
	if s, ok := f.state(name); ok {
		if snapshot, err := f.store.revision(name, s.Revision); err == nil {
			if d, err := f.read.restore(snapshot); err == nil {
				return d
			}
		}
	}
	return &document{deployment: new(flow.Deployment)}
}

func topicsOf(m *device.Model) (all []string) {
	for _, e := range m.Events {
		all = append(all, e.Topic)
	}
	for _, a := range m.Actions {
		all = append(all, a.Topic, a.Answer)
	}
	slices.Sort(all) // so that the same one is reported each time
	return all
}

func stepsOf(d *flow.Deployment) (all []flow.Step) {
	for _, one := range d.Flows {
		all = append(all, one.Definition.Steps...)
	}
	return all
}

// Abort ends an execution that runs.
func (f Editor) Abort(_ context.Context, id string) error {
	f.mu.Lock()
	e := f.engine
	f.mu.Unlock()
	if e == nil {
		return refusal{ErrNotRunning}
	}
	if err := e.Abort(id); err != nil {
		return refusal{err}
	}
	return nil
}

// Public is a deployment as it may be seen over the network: that of one with web services lacks
// the text, whose addresses and headers may hold secrets.
func (f Editor) Public(ctx context.Context, name string, revision int) (PublicFlow, error) {
	all, err := f.Show(ctx, name, revision)
	if err != nil {
		return PublicFlow{}, err
	}
	d, err := f.documentOf(&all)
	if err != nil {
		return PublicFlow{}, err
	}
	p := PublicFlow{Deployed: all.Deployed, Revisions: all.Revisions, Things: all.Things, Triggers: all.Triggers, Vars: all.Vars, Graph: graphs(d.deployment)}
	if all.Snapshot != nil {
		p.Shown = all.Snapshot.Revision
	}
	switch {
	case len(d.services) > 0:
		p.Hidden = "it calls web services, whose addresses and headers may hold secrets: pithings flow show " + name
	case all.Snapshot != nil && len(all.Snapshot.Files) == 1 && !graphQL(all.Snapshot.Files[0]) && reflect.DeepEqual(all.Snapshot.Options, Options{}):
		p.Text = all.Snapshot.Files[0].Text // with its comments
	default:
		p.Text = all.YAML
	}
	return p, nil
}

// documentOf reads the revision that is shown.
func (f Editor) documentOf(s *Shown) (*document, error) {
	if s.Snapshot != nil {
		d, err := f.read.restore(s.Snapshot)
		if err != nil {
			return nil, refusal{err}
		}
		return d, nil
	}
	for _, d := range f.fixed {
		if d.deployment.Name == s.Name {
			return d, nil
		}
	}
	return nil, refuse("there is no deployment %q", s.Name)
}

// PublicFlow is a deployment over the network.
type PublicFlow struct {
	Deployed
	Shown     int            `json:"shown,omitempty" jsonschema:"the revision that is shown; 0 of the configuration's"`
	Revisions []int          `json:"revisions,omitempty"`
	Things    []Bound        `json:"things"`
	Triggers  []string       `json:"triggers"`
	Vars      map[string]any `json:"vars,omitempty" jsonschema:"what is kept between executions"`
	Graph     []Graph        `json:"graph"`
	Text      string         `json:"text,omitempty" jsonschema:"the flow in YAML"`
	Hidden    string         `json:"hidden,omitempty" jsonschema:"why there is no text"`
}
