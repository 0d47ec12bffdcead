package flow

import (
	"slices"
	"time"

	"pithings/flow/expr"
)

// Wait lets time pass. Its deadline outlives the process.
type Wait struct{ Duration time.Duration }

// FlowCall runs another flow of the deployment, whose failure is the step's. The
// answer is an object with the variables of that flow.
type FlowCall struct {
	Flow   string
	Args   []Arg // its parameters, by name
	Output string
}

// SetVars sets variables that outlive the execution: those of Deployment.Vars.
type SetVars struct{ Vars []Arg }

func (*Wait) activity()     {}
func (*FlowCall) activity() {}
func (*SetVars) activity()  {}

// Var is a variable that is kept between the executions of a deployment's flows
// and over restarts. Expressions see it as vars.NAME.
type Var struct {
	Name    string
	Initial any // a literal
	Pos     Position
}

// Bounds of waits, calls and kept variables.
const (
	MaxWait     = 366 * 24 * time.Hour
	MaxCalls    = 8        // flows that call one another, deep
	MaxVars     = 64       // of a deployment
	MaxVarBytes = 16 << 10 // of a deployment's variables together, as JSON
)

// Output is the variable that keeps the step's answer; "" is none.
func (s *Step) Output() string {
	switch a := s.Activity.(type) {
	case *DeviceAction:
		return a.Output
	case *ServiceCall:
		return a.Output
	case *FlowCall:
		return a.Output
	}
	return ""
}

// Args are the values that the step computes.
func (s *Step) Args() []Arg {
	switch a := s.Activity.(type) {
	case *DeviceAction:
		return a.Args
	case *ServiceCall:
		return a.Args
	case *FlowCall:
		return a.Args
	case *SetVars:
		return a.Vars
	}
	return nil
}

// keptNames are the kept variables that an expression names: x of vars.x.
func keptNames(e *expr.Expr) (names []string) {
	if e == nil {
		return nil
	}
	e.Walk(func(n expr.Node) {
		if m, ok := n.(*expr.Member); ok {
			if of, ok := m.Of.(*expr.Name); ok && of.Name == "vars" {
				names = append(names, m.Key)
			}
		}
	})
	return names
}

// Sets lists the events that a step can set, each once.
func (s *Step) Sets() []string {
	var events []string
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !slices.Contains(events, n) {
				events = append(events, n)
			}
		}
	}
	add(s.Out...)
	if c, ok := s.Activity.(*Choice); ok {
		for _, r := range c.Rules {
			add(r.Events...)
		}
		add(c.Default...)
	}
	statements := func(list []Statement) {
		for _, st := range list {
			add(st.Event)
		}
	}
	for _, c := range s.Catches {
		statements(c.Do)
	}
	for _, c := range s.Checks {
		statements(c.Pass)
		statements(c.Fail)
	}
	return events
}

// Waits lists the events that a step waits for.
func (s *Step) Waits() []string {
	if len(s.In.Events) > 0 || s.In.When == nil {
		return s.In.Events
	}
	return s.In.When.Variables()
}
