package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/flow/expr"
	"pithings/mqttlink/topic"
)

// Known is what a deployment is checked against. Functions that are nil know
// nothing, and what is not known is not checked.
type Known struct {
	// Model returns the device model of that name or URN.
	Model func(name string) (device.Model, bool)
	// Service reports whether a web service has an action; known is false if there
	// is no such service.
	Service func(service, action string) (hasAction, known bool)
}

// Bounds of a deployment.
const (
	maxName    = 128 // characters; the longest thing name of AWS IoT
	maxFlows   = 1000
	maxSteps   = 1000
	maxTimeout = 24 * time.Hour
)

// Validate says what is wrong with a deployment, as *Problems: names that are
// missing, twice or unknown, events that no step sets, steps that never start,
// loops.
func (d *Deployment) Validate(known Known) error {
	v := &validator{d: d, known: known}
	v.deployment()
	return v.problems.Err()
}

type validator struct {
	d        *Deployment
	known    Known
	problems Problems
	roles    []string
}

func (v *validator) add(at Position, format string, args ...any) {
	if at.Line == 0 {
		at = v.d.Pos
	}
	v.problems.Add(at, format, args...)
}

// name checks a name and that it is new; what is what it names.
func (v *validator) name(at Position, what, name string, seen map[string]bool) {
	switch {
	case name == "":
		v.add(at, "a %s has no name; give it one", what)
	case len([]rune(name)) > maxName:
		v.add(at, "the name of a %s is longer than %d characters", what, maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		v.add(at, "the name of a %s has characters that cannot be printed", what)
	case seen[name]:
		v.add(at, "a second %s is named %q; give it another name", what, name)
	}
	seen[name] = true
}

func (v *validator) deployment() {
	d := v.d
	v.name(d.Pos, "deployment", d.Name, map[string]bool{})
	if strings.ContainsAny(d.Name, " /\\") {
		v.add(d.Pos, "the name %q has blanks or slashes; write %q", d.Name, strings.NewReplacer(" ", "_", "/", "_", "\\", "_").Replace(d.Name))
	}
	v.timeout(d.Pos, d.Timeout)
	seen := map[string]bool{}
	for _, b := range d.Things {
		v.name(b.Pos, "role", b.Role, seen)
		if b.Thing == "" {
			v.add(b.Pos, "no thing plays the role %q; name one", b.Role)
		}
		if b.Thing != "" && topic.Check(b.Thing) != nil || len(b.Thing) > maxTopic {
			v.add(b.Pos, "role %s: the thing %.40q cannot be part of a topic; write its name without + and #, at most %d bytes", b.Role, b.Thing, maxTopic)
		}
		if !slices.Contains([]Carrier{Auto, Local, Broker}, b.Carrier) {
			v.add(b.Pos, "role %s: unknown carrier %q; write auto, local or broker", b.Role, b.Carrier)
		}
		if b.AtMostOnce && b.Carrier == Local {
			v.add(b.Pos, "role %s: qos is that of messages, and carrier local sends none; leave one of them out", b.Role)
		}
		v.roles = append(v.roles, b.Role)
	}
	switch {
	case len(d.Flows) == 0:
		v.add(d.Pos, "%s has no flow; it needs steps", d.Name)
	case len(d.Flows) > maxFlows:
		v.add(d.Pos, "%s has more than %d flows; make several deployments of them", d.Name, maxFlows)
		return
	}
	v.vars()
	flows := map[string]bool{}
	for i := range d.Flows {
		f := &d.Flows[i]
		if f.Definition == nil {
			v.add(d.Pos, "%s has a flow without a definition", d.Name)
			return
		}
		v.name(f.Definition.Pos, "flow", f.Definition.Name, flows)
		v.overlap(f)
		v.definition(f.Definition)
	}
	v.calls()
	triggers := map[string]bool{}
	for i := range d.Triggers {
		t := &d.Triggers[i]
		v.name(t.Pos, "trigger", t.Name, triggers)
		v.trigger(t)
	}
}

func (v *validator) timeout(at Position, t time.Duration) {
	if t < 0 || t > maxTimeout {
		v.add(at, "a time-out of %v; write one from 1ms to 24h", t)
	}
}

func (v *validator) overlap(f *Flow) {
	at, most := f.Definition.Pos, 0
	switch f.Overlap {
	case Queue:
		most = MaxQueue
	case Parallel:
		most = MaxParallel
	case Drop, Restart:
	default:
		v.add(at, "flow %s: unknown overlap %q; write queue, drop, restart or parallel", f.Definition.Name, f.Overlap)
		return
	}
	if f.Limit < 0 || f.Limit > most {
		v.add(at, "flow %s: a limit of %d; for this overlap it is 0 to %d", f.Definition.Name, f.Limit, most)
	}
}

// Variables that triggers and steps have besides a flow's own.
var (
	triggerVariables = []string{"event", "value", "bindings", "vars", "now"}
	startVariables   = []string{"event", "value", "bindings", "vars", "now", "trigger"}
	stepVariables    = []string{"event", "bindings", "vars", "now", "trigger"}
	errorVariables   = []string{"Error", "ErrorMessage"}
)

// expression checks the variables of an expression.
func (v *validator) expression(at Position, where string, e *expr.Expr, known []string) {
	if e == nil {
		return
	}
	for _, name := range e.Variables() {
		if !slices.Contains(known, name) {
			v.add(at, "%s: unknown variable %q%s", where, name, suggest.From(name, known))
		}
	}
	for _, name := range keptNames(e) {
		v.kept(at, where, name)
	}
}

// kept checks that there is a kept variable of that name.
func (v *validator) kept(at Position, where, name string) {
	var names []string
	for _, x := range v.d.Vars {
		names = append(names, x.Name)
	}
	if !slices.Contains(names, name) {
		v.add(at, "%s: the file's vars have no %q%s; write, for example, vars: {%s: 0}", where, name, suggest.From(name, names), name)
	}
}

// vars checks the kept variables.
func (v *validator) vars() {
	if len(v.d.Vars) > MaxVars {
		v.add(v.d.Pos, "%s has more than %d vars", v.d.Name, MaxVars)
	}
	seen := map[string]bool{}
	initial := map[string]any{}
	for _, x := range v.d.Vars {
		v.name(x.Pos, "variable", x.Name, seen)
		initial[x.Name] = x.Initial
	}
	if text, err := json.Marshal(initial); err != nil || len(text) > MaxVarBytes {
		v.add(v.d.Pos, "the vars of %s are larger than %d KiB", v.d.Name, MaxVarBytes>>10)
	}
}

func (v *validator) trigger(t *Trigger) {
	where := "trigger " + t.Name
	kinds := 0
	for _, is := range []bool{t.Event != nil, !t.Every.IsZero(), t.At != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		v.add(t.Pos, "%s has several of thing, every and at; make two triggers of it", where)
	case t.Event != nil:
		v.deviceEvent(t.Pos, where, t.Event)
	case !t.Every.IsZero():
		if _, err := ParseEvery(t.Every.String()); err != nil {
			v.add(t.Pos, "%s: %v", where, err)
		}
	case t.At != nil:
		if p := t.At.problem(); p != "" {
			v.add(t.Pos, "%s: %s", where, p)
		}
	}
	v.starts(t, where)
}

// deviceEvent checks what a trigger waits for.
func (v *validator) deviceEvent(at Position, where string, e *DeviceEvent) {
	if v.role(at, where, e.Role) {
		b, _ := v.d.Binding(e.Role)
		v.event(at, where, b, e.Name)
	}
	v.expression(at, where, e.When, triggerVariables)
	switch {
	case e.For < 0 || e.For > MaxWait:
		v.add(at, "%s: for %v; write one from 1ms to %v", where, e.For, MaxWait)
	case e.For > 0 && e.When == nil:
		v.add(at, "%s: for says how long a condition has to hold, and there is none; write when, for example when: value > 30", where)
	}
}

// starts checks what a trigger starts.
func (v *validator) starts(t *Trigger, where string) {
	if len(t.Start) == 0 {
		v.add(t.Pos, "%s starts no flow; name one", where)
	}
	for _, s := range t.Start {
		at := cmpPos(s.Pos, t.Pos)
		f := v.d.Flow(s.Flow)
		if f == nil {
			var names []string
			for _, f := range v.d.Flows {
				names = append(names, f.Definition.Name)
			}
			v.add(at, "%s starts the unknown flow %q%s", where, s.Flow, suggest.From(s.Flow, names))
			continue
		}
		if _, err := BindArgs(f.Definition, s.Args); err != nil {
			v.add(at, "%s: %v", where, err)
		}
		for _, a := range s.Args {
			v.expression(cmpPos(a.Pos, at), where+", start of "+s.Flow, a.Value.Expr, startVariables)
		}
	}
}

func cmpPos(a, b Position) Position {
	if a.Line != 0 {
		return a
	}
	return b
}

func (v *validator) role(at Position, where, role string) bool {
	if slices.Contains(v.roles, role) {
		return true
	}
	if role == "" {
		v.add(at, "%s names no thing", where)
	} else {
		v.add(at, "%s: no thing plays the role %q%s", where, role, suggest.From(role, v.roles))
	}
	return false
}

func (v *validator) model(names ...string) (device.Model, bool) {
	if v.known.Model != nil {
		for _, name := range names {
			if name == "" {
				continue
			}
			if m, ok := v.known.Model(name); ok {
				return m, true
			}
		}
	}
	return device.Model{}, false
}

func (v *validator) event(at Position, where string, b Binding, event string) {
	if event == "" {
		v.add(at, "%s names no event", where)
	} else if m, ok := v.model(b.Model); ok {
		if _, ok := device.Named(m.Events, event); !ok {
			v.add(at, "%s: %s (%s) has no event %q%s", where, b.Role, m.ID, event, suggest.From(event, slices.Sorted(maps.Keys(m.Events))))
		}
	}
}

// BindArgs orders arguments as the parameters of a flow; a parameter without an
// argument has its default.
func BindArgs(def *Definition, args []Arg) ([]Value, error) {
	values, given := make([]Value, len(def.Parameters)), make([]bool, len(def.Parameters))
	names := make([]string, len(def.Parameters))
	for i, p := range def.Parameters {
		names[i] = p.Name
	}
	for i, a := range args {
		if a.Name != "" {
			i = slices.Index(names, a.Name)
			if i < 0 {
				return nil, fmt.Errorf("flow %s has no parameter %q%s", def.Name, a.Name, suggest.From(a.Name, names))
			}
		}
		if i >= len(names) {
			return nil, fmt.Errorf("flow %s has %d parameters, not %d", def.Name, len(names), len(args))
		}
		if given[i] {
			return nil, fmt.Errorf("the parameter %q of flow %s is given twice", names[i], def.Name)
		}
		values[i], given[i] = a.Value, true
	}
	for i, p := range def.Parameters {
		if given[i] {
			continue
		}
		if p.Required {
			return nil, fmt.Errorf("flow %s needs the parameter %q", def.Name, p.Name)
		}
		values[i] = p.Default
	}
	return values, nil
}
