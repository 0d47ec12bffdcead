package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"pithings/flow"
)

// resume continues with what an earlier process left: how long conditions have been
// true, and executions that waited. waiting is nil if there was no earlier process.
func (d *deployed) resume(waiting map[string][]byte) {
	m := d.memory
	if m == nil {
		return
	}
	before := m.takeOver(d.d, waiting != nil)
	var holds []holder
	for _, c := range d.clocks {
		h, ok := c.(*hold)
		if !ok {
			continue
		}
		holds = append(holds, h)
		if one := before[h.t.Name]; one != nil {
			h.resume(one)
		}
	}
	m.keep(holds)
	for name, text := range waiting {
		if err := d.restore(text); err != nil {
			d.log.Warn("waiting execution not continued", "deployment", d.d.Name, "err", err)
			if err := d.keeper.Save(d.d.Name, name, nil); err != nil {
				d.log.Error("saved state of an execution not removed", "deployment", d.d.Name, "err", err)
			}
		}
	}
}

// restore continues an execution from its checkpoint.
func (d *deployed) restore(text []byte) error {
	var c checkpoint
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	x, err := d.restored(&c, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Execution.ID, err)
	}
	x.tree.restored(x.takeOver())
	d.continueWaiting(x)
	return nil
}

// restored makes an execution of what was kept of it.
func (d *deployed) restored(c *checkpoint, parent *execution) (*execution, error) {
	r := d.runner(c.Execution.Flow)
	switch {
	case r == nil || c.Execution.Revision != d.d.Revision || !slices.Equal(c.Steps, stepNames(r.def)):
		return nil, fmt.Errorf("the flow %s is not what it was", c.Execution.Flow)
	case len(c.Rests) == 0:
		return nil, fmt.Errorf("nothing in it waits")
	}
	if h, ok := d.recorder.(interface{ Runs(id string) bool }); ok && !h.Runs(c.Execution.ID) {
		return nil, fmt.Errorf("the history does not know it, or that it has ended")
	}
	under := d.ctx
	if parent != nil {
		under = parent.ctx
	}
	o := &occasion{s: d.scene, trigger: c.Execution.Trigger, at: c.At, event: flow.Values(c.Event)}
	r.mu.Lock()
	r.use()
	x := newExecution(under, d.scene, r.program(), o, parent)
	r.mu.Unlock()
	x.ended = r.ended
	x.Execution, x.events = c.Execution, c.Events
	for name, v := range c.Vars {
		x.vars[name] = v
	}
	for _, name := range c.Set {
		if e := slices.Index(x.p.events, name); e >= 0 {
			x.set.have[e] = true
		}
	}
	for _, name := range c.Begun {
		if i := slices.Index(c.Steps, name); i >= 0 {
			x.begun[i] = true
		}
	}
	return x, d.restoreRests(x, c)
}

// restoreRests restores the steps of an execution that rest.
func (d *deployed) restoreRests(x *execution, c *checkpoint) (err error) {
	for name, one := range c.Rests {
		i := slices.Index(c.Steps, name)
		if i < 0 || !fitting(&x.p.def.Steps[i], &one) {
			return fmt.Errorf("the step %s is not what it was", name)
		}
		rest := &resting{attempt: one.Attempt, tried: one.Tried, span: one.span, earlier: true}
		if one.Child != nil {
			if rest.child, err = d.restored(one.Child, x); err != nil {
				return err
			}
		}
		x.rests[i] = rest
	}
	x.active = len(x.rests)
	return nil
}

// fitting reports whether a step can be in such a rest.
func fitting(s *flow.Step, r *restful) bool {
	if r.Attempt < 1 || len(r.Tried) != len(s.Retries) {
		return false
	}
	switch s.Activity.(type) {
	case *flow.Wait:
		return r.Child == nil
	case *flow.FlowCall:
		return r.Child != nil
	}
	return false
}

// continueWaiting lets an execution of an earlier process wait on.
func (d *deployed) continueWaiting(x *execution) {
	r := d.runner(x.Flow)
	r.mu.Lock()
	if !r.stopped {
		r.add(x)
	}
	r.mu.Unlock()
	// No lock is held: the rests do not change before they continue, and a runner's lock
	// comes before an execution's.
	for _, rest := range x.rests {
		if rest.child != nil {
			d.continueWaiting(rest.child)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, rest := range x.rests {
		d.tasks.Go(func() { x.follow([]begun{{step: i, rest: rest}}) })
	}
}
