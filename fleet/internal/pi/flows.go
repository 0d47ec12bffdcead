package pi

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"pithings/conf"
	"pithings/device"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/things"
)

// Flows run the SecurityFlow of each Pi: motion, a picture, the screen. One flow engine runs them
// all; the steps are messages at the broker, as the built-in flow of an agent has them.
type Flows struct {
	engine *engine.Engine
	lines  map[string]*Line // by deployment
	flow   *flow.Deployment
	looks  map[string]things.Model // by role
	counts FlowCounts
}

// FlowCounts are what the flows of all Pis have done.
type FlowCounts struct {
	Started, Succeeded, Failed, Aborted atomic.Uint64
}

// kindOf is the kind of the thing that plays a role of SecurityFlow.
var kindOf = map[string]string{"motionSensor": "motion", "camera": "camera", "screen": "screen"}

// NewFlows returns flows without a Pi. Close must follow.
func NewFlows() *Flows {
	f := &Flows{lines: map[string]*Line{}, flow: flow.SecurityFlow(), looks: map[string]things.Model{}}
	for role, kind := range kindOf {
		k := things.KindOf(kind)
		s := k.New()
		conf.Fill(s)
		f.looks[role] = k.Describe(s, nil).Wire
	}
	f.engine = engine.New(engine.Options{Device: f.device, Recorder: tally{&f.counts}, Log: slog.New(slog.DiscardHandler)})
	return f
}

// Add has a Pi run its flow.
func (f *Flows) Add(l *Line) error {
	d := *f.flow
	d.Name, d.Things = l.d.Name, nil
	for _, b := range f.flow.Things {
		// The thing's name with the Pi's before it: what its topics begin with.
		b.Thing = l.d.Name + "/" + things.KindOf(kindOf[b.Role]).Example
		d.Things = append(d.Things, b)
	}
	f.lines[d.Name] = l
	if err := f.engine.Deploy(&d); err != nil {
		return fmt.Errorf("the flow of %s: %w", d.Name, err)
	}
	return nil
}

// device implements the flow engine's Options.Device. Nothing is added while flows run.
func (f *Flows) device(d *flow.Deployment, b flow.Binding) (device.Actor, error) {
	return things.NewRemote(b.Thing, f.lines[d.Name], slog.New(slog.DiscardHandler)).As(f.looks[b.Role], "", 1)
}

// Counts returns what the flows have done.
func (f *Flows) Counts() *FlowCounts { return &f.counts }

// Close aborts the executions and waits for their end.
func (f *Flows) Close() error { return f.engine.Close() }

// tally counts executions.
type tally struct{ *FlowCounts }

// Started implements engine.Recorder.
func (r tally) Started(flow.Execution) { r.FlowCounts.Started.Add(1) }

// Event implements engine.Recorder.
func (r tally) Event(string, flow.ExecutionEvent) {}

// Ended implements engine.Recorder.
func (r tally) Ended(x flow.Execution) {
	switch x.Status {
	case flow.Succeeded:
		r.Succeeded.Add(1)
	case flow.Failed:
		r.Failed.Add(1)
	default:
		r.Aborted.Add(1)
	}
}
