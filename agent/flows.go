package agent

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pithings/agent/config"
	"pithings/agent/flows"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/service"
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
	services, err := serviceOptions(&a.o.Config.Services)
	if err != nil {
		return err
	}
	parts := flows.Parts{State: a.o.State, Things: own, Services: services, Log: a.log}
	if a.links.shared != nil {
		parts.Link = a.links.shared
	}
	f, err := flows.Open(parts)
	if err != nil {
		return err
	}
	for i := range a.o.Config.Flows {
		if err := addFlow(f, &a.o.Config.Flows[i]); err != nil {
			return fmt.Errorf("flow %s: %w", cmp.Or(a.o.Config.Flows[i].Name, a.o.Config.Flows[i].File), err)
		}
	}
	if len(a.o.Flows.Files) > 0 {
		if err := f.AddFiles(a.o.Flows, 0); err != nil {
			return err
		}
	}
	a.flows = f
	return nil
}

func serviceOptions(c *config.Services) (service.Options, error) {
	nets, err := prefixes(c.AllowNets)
	return service.Options{AllowHosts: c.AllowHosts, AllowNets: nets, MaxBytes: int64(c.MaxBytes), Timeout: c.Timeout.Duration}, err
}

// CheckFlows reads the files of a configuration's flows, and tells what is wrong
// with the first that is.
func CheckFlows(c *config.Config) error {
	for i := range c.Flows {
		one := &c.Flows[i]
		if one.File == "" {
			continue
		}
		r, err := flowFile(one)
		if err != nil {
			return fmt.Errorf("flow %s: %w", cmp.Or(one.Name, one.File), err)
		}
		if _, err := flows.Validate(r.Files, r.Options); err != nil {
			return err
		}
	}
	return nil
}

func flowFile(c *config.Flow) (flows.DeployRequest, error) {
	file, err := flows.ReadFile(c.File)
	return flows.DeployRequest{Files: []flows.File{file},
		Options: flows.Options{Name: c.Name, Things: c.Things, Carrier: c.Carrier, Shared: c.Shared}}, err
}

func addFlow(f *flows.Flows, c *config.Flow) error {
	if c.File != "" {
		r, err := flowFile(c)
		if err != nil {
			return err
		}
		return f.AddFiles(r, c.Timeout.Duration)
	}
	return f.AddBuiltin(flows.Builtin{Name: c.Name, Things: c.Things, Every: c.When == config.WhenEvent,
		Carrier: c.Carrier, Shared: c.Shared, Timeout: c.Timeout.Duration})
}

// flowStats tells what the flows did, by deployment.
func (a *Agent) flowStats() map[string][]engine.Stats {
	if a.flows == nil {
		return nil
	}
	return a.flows.Stats()
}

// flows adds what the flows did to a page of metrics.
func (m metrics) flows(p *page) {
	stats := m.a.flowStats()
	each := func(name, kind, help string, samples func(s *engine.Stats, sample func(v float64, labels ...string))) {
		p.family("pithings_"+name, kind, help)
		for _, deployment := range slices.Sorted(maps.Keys(stats)) {
			for i := range stats[deployment] {
				s := &stats[deployment][i]
				samples(s, func(v float64, labels ...string) {
					p.sample(v, append([]string{"deployment", deployment, "flow", s.Flow}, labels...)...)
				})
			}
		}
	}
	each("flow_started_total", "counter", "Executions started since the flow was deployed.", func(s *engine.Stats, sample func(float64, ...string)) { sample(float64(s.Started)) })
	each("flow_ended_total", "counter", "Executions that ended, by how.", func(s *engine.Stats, sample func(float64, ...string)) {
		sample(float64(s.Succeeded), "status", "SUCCEEDED")
		sample(float64(s.Failed), "status", "FAILED")
		sample(float64(s.Aborted), "status", "ABORTED")
	})
	each("flow_dropped_total", "counter", "Events that started nothing: overlap: the flow was running; age: they came too late; error: the trigger could not be computed.", func(s *engine.Stats, sample func(float64, ...string)) {
		sample(float64(s.Dropped), "reason", "overlap")
		sample(float64(s.TooOld), "reason", "age")
		sample(float64(s.Errors), "reason", "error")
	})
	each("flow_running", "gauge", "Executions that run.", func(s *engine.Stats, sample func(float64, ...string)) { sample(float64(s.Running)) })
	p.family("pithings_flow_unused_messages_total", "counter", "Messages from things at the broker that no flow could use: late: answers after the time-out; second: further answers; other: answers to other people's commands; unread: not understood.")
	if m.a.flows == nil {
		return
	}
	unused := m.a.flows.Unused()
	for _, thing := range slices.Sorted(maps.Keys(unused)) {
		u := unused[thing]
		for _, r := range []struct {
			reason string
			n      uint64
		}{{"late", u.Late}, {"second", u.Second}, {"other", u.Other}, {"unread", u.Unread}} {
			p.sample(float64(r.n), "thing", thing, "reason", r.reason)
		}
	}
}
