package flowhost

import (
	"fmt"

	"pithings/flow"
)

// Graph is a flow as it can be drawn: a step begins when all events of its after are set, or when its when
// is true of them.
type Graph struct {
	Flow  string      `json:"flow"`
	Steps []GraphStep `json:"steps"`
}

// GraphStep is a step of a flow.
type GraphStep struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind" jsonschema:"device, service, flow, wait, set, choice, or empty of one that does nothing"`
	Does      string   `json:"does,omitempty" jsonschema:"in a few words"`
	After     []string `json:"after,omitempty" jsonschema:"events that all have to be set; without after and when it is the first"`
	When      string   `json:"when,omitempty" jsonschema:"an expression over events instead"`
	Condition string   `json:"condition,omitempty" jsonschema:"without which it does nothing"`
	Sets      []string `json:"sets,omitempty" jsonschema:"events that it may set"`
}

func graphs(d *flow.Deployment) []Graph {
	all := []Graph{}
	for _, one := range d.Flows {
		g := Graph{Flow: one.Definition.Name, Steps: []GraphStep{}}
		for i := range one.Definition.Steps {
			g.Steps = append(g.Steps, graphStep(&one.Definition.Steps[i]))
		}
		all = append(all, g)
	}
	return all
}

func graphStep(s *flow.Step) GraphStep {
	g := GraphStep{Name: s.Name, After: s.In.Events, Sets: s.Sets()}
	if s.In.When != nil {
		g.When = s.In.When.String()
	}
	if s.Condition != nil {
		g.Condition = s.Condition.String()
	}
	switch a := s.Activity.(type) {
	case *flow.DeviceAction:
		role := a.Role
		if role == "" && a.Device != nil {
			role = a.Device.String()
		}
		g.Kind, g.Does = "device", a.Action+" of "+role
	case *flow.ServiceCall:
		g.Kind, g.Does = "service", a.Action+" of "+a.Service
	case *flow.FlowCall:
		g.Kind, g.Does = "flow", a.Flow
	case *flow.Wait:
		g.Kind, g.Does = "wait", fmt.Sprint(a.Duration)
	case *flow.SetVars:
		g.Kind = "set"
		for _, v := range a.Vars {
			if g.Does != "" {
				g.Does += ", "
			}
			g.Does += v.Name
		}
	case *flow.Choice:
		g.Kind = "choice"
	}
	return g
}
