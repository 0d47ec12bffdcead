// Package simple runs flows of steps one after the other. It gives way to package
// engine.
package simple

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Values are the named values of an event, of an action's input or of its
// answer: what JSON can hold.
type Values = map[string]any

// Device is one device as a flow sees it.
type Device interface {
	// Watch calls fn for every event of that name, until stop. fn returns at once.
	Watch(event string, fn func(Values)) (stop func(), err error)
	// Call runs an action and returns its answer. It ends when ctx does.
	Call(ctx context.Context, action string, input Values) (Values, error)
}

// Definition is a flow. The devices in it are roles ("camera"); a deployment
// says which thing plays which.
type Definition struct {
	Name    string
	Trigger Trigger
	Steps   []Step
}

// Trigger starts the flow.
type Trigger struct {
	Device string            // the role whose event it is
	Event  string            // the event's name
	When   func(Values) bool // nil: every time the event comes
}

// Step calls one action. Steps run one after the other.
type Step struct {
	Name    string
	Device  string            // the role
	Action  string            // the action's name
	Input   map[string]string // values by name; "${variable.field}" is filled in
	Output  string            // the variable that keeps the answer; "" keeps none
	Timeout time.Duration     // 0: the deployment's
}

// SecurityFlow is the flow of the Things Graph guide: motion is detected, the
// camera takes a picture, the screen shows it.
//
// The cloud service's trigger fired on every motion event, whatever its value;
// its example sensor only ever sent true. Here the end of motion is no reason
// for a picture.
func SecurityFlow() Definition {
	return Definition{
		Name: "SecurityFlow",
		Trigger: Trigger{Device: "motionSensor", Event: "StateChanged", When: func(v Values) bool {
			detected, _ := v["isMotionDetected"].(bool)
			return detected
		}},
		Steps: []Step{
			{Name: "Camera", Device: "camera", Action: "capture", Output: "cameraResult"},
			{Name: "Screen", Device: "screen", Action: "display",
				Input: map[string]string{"imageUri": "${cameraResult.lastClickedImage}"}},
		},
	}
}

// Roles lists the devices that the flow needs, in the order of their first use.
func (d Definition) Roles() []string {
	var roles []string
	seen := map[string]bool{}
	add := func(role string) {
		if !seen[role] {
			seen[role] = true
			roles = append(roles, role)
		}
	}
	add(d.Trigger.Device)
	for _, s := range d.Steps {
		add(s.Device)
	}
	return roles
}

// Validate says what is wrong with the definition: a step without a name, a
// variable that no earlier step sets.
func (d Definition) Validate() error {
	if d.Name == "" {
		return errors.New("flow without a name")
	}
	if d.Trigger.Device == "" || d.Trigger.Event == "" {
		return fmt.Errorf("flow %s: the trigger needs a device and an event", d.Name)
	}
	if len(d.Steps) == 0 {
		return fmt.Errorf("flow %s has no steps", d.Name)
	}
	known := map[string]bool{}
	for i, s := range d.Steps {
		if s.Name == "" || s.Device == "" || s.Action == "" {
			return fmt.Errorf("flow %s: step %d needs a name, a device and an action", d.Name, i+1)
		}
		for key, template := range s.Input {
			variable, _, isRef, err := reference(template)
			if err != nil {
				return fmt.Errorf("flow %s, step %s, input %s: %w", d.Name, s.Name, key, err)
			}
			if isRef && !known[variable] {
				return fmt.Errorf("flow %s, step %s, input %s: no earlier step has the output %q", d.Name, s.Name, key, variable)
			}
		}
		if s.Output != "" {
			known[s.Output] = true
		}
	}
	return nil
}

// reference takes "${variable.field}" apart. A text without "${" is itself.
func reference(template string) (variable, field string, isRef bool, err error) {
	body, found := strings.CutPrefix(template, "${")
	if !found {
		if strings.Contains(template, "${") {
			return "", "", false, fmt.Errorf("%q: ${…} must be the whole value", template)
		}
		return "", "", false, nil
	}
	body, closed := strings.CutSuffix(body, "}")
	variable, field, dotted := strings.Cut(body, ".")
	if !closed || !dotted || variable == "" || field == "" || strings.ContainsAny(body, "${}") {
		return "", "", false, fmt.Errorf("%q: write ${variable.field}", template)
	}
	return variable, field, true, nil
}

// fill computes a step's input from the variables.
func (s Step) fill(variables map[string]Values) (Values, error) {
	input := Values{}
	for key, template := range s.Input {
		variable, field, isRef, err := reference(template)
		switch {
		case err != nil:
			return nil, err
		case !isRef:
			input[key] = template
		default:
			v, ok := variables[variable][field]
			if !ok {
				return nil, fmt.Errorf("%s has no %q", variable, field)
			}
			input[key] = v
		}
	}
	return input, nil
}
