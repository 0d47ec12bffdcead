package agent

import (
	"fmt"

	"pithings/agent/config"
	"pithings/agent/flows"
	"pithings/flow"
	"pithings/things"
)

// makeFlows reads what is deployed in the state folder, and adds the flows of the
// configuration. A process that owns no state folder has no flows.
func (a *Agent) makeFlows() error {
	if len(a.queues.boxes) == 0 {
		return nil
	}
	own := map[string]flows.Thing{}
	for i, t := range a.things {
		c := &a.o.Config.Things[i]
		one := flows.Thing{Type: c.Type, Topics: c.Topics}
		one.Device, _ = t.(flow.Device) // all of them are
		if c.Environment != nil {
			one.Schema = things.Schema(c.Environment.Schema)
		}
		if c.Motion != nil {
			one.TimeKey = c.Motion.TimeKey
		}
		own[t.Name()] = one
	}
	parts := flows.Parts{State: a.o.State, Things: own, Log: a.log}
	if a.links.shared != nil {
		parts.Link = a.links.shared
	}
	f, err := flows.Open(parts)
	if err != nil {
		return err
	}
	for i := range a.o.Config.Flows {
		if err := addFlow(f, &a.o.Config.Flows[i]); err != nil {
			return fmt.Errorf("flow %s: %w", a.o.Config.Flows[i].Name, err)
		}
	}
	a.flows = f
	if a.control != nil {
		f.Serve(a.control)
	}
	return nil
}

func addFlow(f *flows.Flows, c *config.Flow) error {
	if c.File != "" {
		return f.AddFile(c.File, flows.Options{Name: c.Name, Things: c.Things, Carrier: c.Carrier, Shared: c.Shared}, c.Timeout.Duration)
	}
	return f.AddBuiltin(flows.Builtin{Name: c.Name, Things: c.Things, Every: c.When == config.WhenEvent,
		Carrier: c.Carrier, Shared: c.Shared, Timeout: c.Timeout.Duration})
}
