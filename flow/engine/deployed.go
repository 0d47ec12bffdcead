package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pithings/device"
	"pithings/flow"
)

// deployed is a deployment that is active.
type deployed struct {
	*scene
	runners []*runner // of d.Flows
	subs    []*subscription
	clocks  []starter
}

// starter is a trigger of time.
type starter interface {
	start()
	stop()
}

func newDeployed(p *parts, o *Options, d *flow.Deployment, services Services) (*deployed, error) {
	n := &deployed{scene: &scene{parts: p, d: d, services: services, devices: make([]device.Actor, len(d.Things))}}
	n.scene.child = n.child
	for i, b := range d.Things {
		device, err := o.Device(d, b)
		if err != nil {
			return nil, fmt.Errorf("%s, role %s: %w", d.Name, b.Role, err)
		}
		n.devices[i] = device
	}
	n.runners = make([]*runner, len(d.Flows))
	for i := range d.Flows {
		n.runners[i] = newRunner(n.scene, &d.Flows[i])
	}
	return n, nil
}

// runner returns the runner of a flow, by its name or URN, or nil.
func (d *deployed) runner(name string) *runner {
	for _, r := range d.runners {
		if r.def.Name == name || name != "" && r.def.URN == name {
			return r
		}
	}
	return nil
}

// child is scene.child.
func (d *deployed) child(ctx context.Context, flow string, parent *execution, args []flow.Arg) (*execution, func(), error) {
	x, err := d.runner(flow).child(ctx, parent, args)
	if err != nil {
		return nil, nil, err
	}
	return x, func() {
		x.record()
		d.tasks.Go(x.run)
	}, nil
}

// trigger returns a trigger with the flows that it starts.
func (d *deployed) trigger(t *flow.Trigger) *trigger {
	n := &trigger{s: d.scene, t: t, flows: make([]*runner, len(t.Start))}
	for i, start := range t.Start {
		n.flows[i] = d.runner(start.Flow)
	}
	return n
}

// watch subscribes the triggers and makes the clocks. zone returns the zone of a moment of
// the day.
func (d *deployed) watch(all watches, zone func(*flow.At) (*time.Location, error)) error {
	for i := range d.d.Triggers {
		t := &d.d.Triggers[i]
		switch {
		case !t.Every.IsZero():
			d.clocks = append(d.clocks, newTicker(d.trigger(t)))
		case t.At != nil:
			loc, err := zone(t.At)
			if err != nil {
				return fmt.Errorf("trigger %s: %w", t.Name, err)
			}
			d.clocks = append(d.clocks, newDaily(d.trigger(t), loc))
		case t.Event != nil:
			role := slices.IndexFunc(d.d.Things, func(b flow.Binding) bool { return b.Role == t.Event.Role })
			s := &subscription{trigger: d.trigger(t)}
			if t.Event.For > 0 {
				s.hold = newHold(s.trigger)
				d.clocks = append(d.clocks, s.hold)
			}
			if err := all.subscribe(watchKey{d.devices[role], t.Event.Name}, s); err != nil {
				return fmt.Errorf("trigger %s: %w", t.Name, err)
			}
			d.subs = append(d.subs, s)
		} // else by hand
	}
	return nil
}

// unwatch takes the triggers away.
func (d *deployed) unwatch(all watches) {
	all.remove(d.subs)
	d.subs = nil
}

// start starts the clocks.
func (d *deployed) start() {
	for _, c := range d.clocks {
		c.start()
	}
}

func (d *deployed) stopClocks() {
	for _, c := range d.clocks {
		c.stop()
	}
}

// stop stops the clocks and aborts what runs; it does not wait for that.
func (d *deployed) stop(why error) {
	d.stopClocks()
	for _, r := range d.runners {
		r.stop(why)
	}
}
