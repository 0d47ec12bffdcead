package flow

import (
	"fmt"
	"strings"
	"time"

	"pithings/flow/expr"
)

// Position is the place in a file where something was written. The zero value is
// no place.
type Position struct {
	File   string
	Line   int32 // from 1
	Column int32 // from 1
}

// String returns FILE:LINE:COLUMN, as far as known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Definition is a flow: what Things Graph calls a workflow. It is not changed
// once it is deployed.
type Definition struct {
	Name        string
	Description string
	URN         string // of Things Graph; "" if it has none
	// Parameters are given when the flow is started, by position or by name. Their
	// values are variables.
	Parameters []Parameter
	// Variables are where steps keep their answers. They are null before.
	Variables []Variable
	Steps     []Step
	Pos       Position
}

// Parameter is a value that a flow is started with.
type Parameter struct {
	Name string
	Type string // as written: "string", "DeviceId", "Number"; it is not enforced
	// Required parameters have no default; a flow does not start without them.
	Required bool
	Default  Value
	Pos      Position
}

// Variable keeps the answer of a step: an object, or what the answer is.
type Variable struct {
	Name string
	Type string // as written, often a property's URN; it is not enforced
	Pos  Position
}

// Step is one activity of a flow.
type Step struct {
	Name        string
	Description string
	// Condition, if not nil, has to be true for the step to do anything.
	Condition *expr.Expr
	In        In
	// Out are the events that the step sets when it has succeeded.
	Out      []string
	Activity Activity
	// Timeout bounds each attempt. 0: the deployment's.
	Timeout time.Duration
	Retries []Retry
	Catches []Catch
	Checks  []Check
	Pos     Position
}

// In says what a step waits for. The zero value waits for nothing but the
// flow's start.
type In struct {
	// Events have all to be set.
	Events []string
	// When, if not nil and without Events, is an expression over events, whose
	// names are variables in it: true once they are set. It is looked at each time
	// an event has been set, never at the start.
	When *expr.Expr
}

// AtStart reports whether the step waits for nothing.
func (i In) AtStart() bool { return len(i.Events) == 0 && i.When == nil }

// Activity is what a step does: a *DeviceAction, a *ServiceCall, a *Choice, a *Wait, a
// *FlowCall or a *SetVars.
type Activity interface{ activity() }

// DeviceAction runs an action of a thing.
type DeviceAction struct {
	// Role names a role of the deployment ("camera"). "": Device says it.
	Role string
	// Device, if Role is "", is computed to a role or a thing of the deployment:
	// usually a parameter, ${camera}.
	Device *expr.Expr
	Action string
	Args   []Arg
	// Output is the variable that keeps the answer; "" keeps none.
	Output string
	// Model is the device model's URN or name, DeviceURN that of the device; ""
	// if not given.
	Model     string
	DeviceURN string
}

// ServiceCall runs an action of a web service.
type ServiceCall struct {
	Service string // its name or URN
	Action  string
	Args    []Arg
	Output  string
}

// Choice sets the events of its first rule that is true, or Default.
type Choice struct {
	Rules   []Rule
	Default []string // none: the flow ends on this branch
}

// Rule is one way out of a choice.
type Rule struct {
	Name   string // "" if it has none
	When   *expr.Expr
	Events []string
	Pos    Position
}

func (*DeviceAction) activity() {}
func (*ServiceCall) activity()  {}
func (*Choice) activity()       {}

// Arg is a named value of an action. An argument that is computed to null fails
// the step, because no device knows what to do without its value; ?? gives a
// default.
type Arg struct {
	Name  string
	Value Value
	Pos   Position
}

// Value is a literal, or an expression that is computed when it is needed.
type Value struct {
	// Expr, if not nil, is the value.
	Expr *expr.Expr
	// Literal is nil, a bool, a string, an int64, a uint64, a float64, a []any or
	// a map[string]any of these.
	Literal any
}

// IsZero reports whether a value was not given. It is the same as a literal null.
func (v Value) IsZero() bool { return v.Expr == nil && v.Literal == nil }

// TextValue reads text as a value: with ${…} or as a $macro(…) it is an
// expression, otherwise itself.
func TextValue(text string) (Value, error) {
	if !strings.Contains(text, "${") && !strings.HasPrefix(strings.TrimSpace(text), "$macro(") {
		return Value{Literal: text}, nil
	}
	e, err := expr.ParseText(text)
	if err != nil {
		return Value{}, err
	}
	return Value{Expr: e}, nil
}

// Eval computes the value.
func (v Value) Eval(s expr.Scope) (any, error) {
	if v.Expr == nil {
		return v.Literal, nil
	}
	return v.Expr.Eval(s)
}

// Retry tries a failed step again. The first retry of a step that fits an error
// decides. Its n-th attempt, n from 1, comes Interval · BackoffRate^(n-1) after
// the failure, at most MaxRetryWait. When its attempts are used up, the step has
// failed. The attempts of each retry are counted apart, as in Step Functions.
type Retry struct {
	Name string
	// Errors are names of errors, or ALL; any of them fits. Without Errors and
	// Condition every error fits.
	Errors []string
	// Condition, if not nil, has to be true as well. Its variables are the flow's
	// and Error, the error's name, and ErrorMessage.
	Condition   *expr.Expr
	Interval    time.Duration // 0: DefaultRetryInterval
	BackoffRate float64       // at least 1; 0: 1
	MaxAttempts int           // after the first; 0: DefaultMaxAttempts
	Pos         Position
}

// What a Retry has that gives no numbers, and its bounds.
const (
	DefaultRetryInterval = time.Second
	DefaultMaxAttempts   = 3
	MaxRetryWait         = time.Hour
	MaxRetryAttempts     = 1000
)

// Catch lets the flow continue after a step has failed.
type Catch struct {
	Name string
	// Errors and Condition are as in Retry.
	Errors    []string
	Condition *expr.Expr
	Do        []Statement
	Pos       Position
}

// Check looks at a step that has succeeded. Checks are run in their order; one
// that fails the step is an error like any other, to be retried and caught.
type Check struct {
	Name      string
	Condition *expr.Expr
	Pass      []Statement // if the condition is true
	Fail      []Statement // if it is not
	Pos       Position
}

// Statement sets an event or fails the step.
type Statement struct {
	// Event is the event to set; "" fails the step.
	Event string
	// Error is the name of the error with which the step fails, "" for Runtime.
	Error string
	Pos   Position
}

// ParseStatement reads a statement: setEvent('name'), ThingsGraph.setEvent('name'),
// fail('ErrorName') or fail(); or an event's name alone, plain or quoted.
func ParseStatement(text string) (Statement, error) {
	e, err := expr.Parse(text)
	if err != nil {
		return Statement{}, err
	}
	switch n := e.Root().(type) {
	case *expr.Name:
		return Statement{Event: n.Name}, nil
	case *expr.Literal:
		if s, ok := n.Value.(string); ok && s != "" {
			return Statement{Event: s}, nil
		}
	case *expr.Call:
		text, isText := "", len(n.Args) == 0
		if len(n.Args) == 1 {
			if l, ok := n.Args[0].(*expr.Literal); ok {
				text, isText = l.Value.(string)
			}
		}
		switch name := strings.ToLower(n.Name); {
		case isText && text != "" && name == "setevent":
			return Statement{Event: text}, nil
		case isText && name == "fail":
			return Statement{Error: text}, nil
		}
	}
	return Statement{}, fmt.Errorf("statement %q: write setEvent('name') or fail('ErrorName')", text)
}

// String returns what ParseStatement reads.
func (s Statement) String() string {
	call := func(name, text string) string {
		c := &expr.Call{Name: name}
		if text != "" {
			c.Args = []expr.Node{&expr.Literal{Value: text}}
		}
		return expr.New(c).String()
	}
	if s.Event != "" {
		return call("setEvent", s.Event)
	}
	return call("fail", s.Error)
}
