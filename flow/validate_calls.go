package flow

import (
	"slices"
	"strings"
	"time"

	"pithings/conf/suggest"
)

func (v *stepValidator) wait(at Position, where string, s *Step, w *Wait) {
	if w.Duration < time.Millisecond || w.Duration > MaxWait {
		v.add(at, "%s: a wait of %v; write one from 1ms to %v", where, w.Duration, MaxWait)
	}
	if s.Timeout != 0 {
		v.add(at, "%s: a wait has no time-out; leave it out", where)
	}
}

func (v *stepValidator) flowCall(at Position, where string, c *FlowCall) {
	v.args(at, where, c.Args)
	v.output(at, where, c.Output)
	f := v.d.Flow(c.Flow)
	if f == nil {
		var names []string
		for _, f := range v.d.Flows {
			names = append(names, f.Definition.Name)
		}
		v.add(at, "%s: there is no flow %q in this file%s", where, c.Flow, suggest.From(c.Flow, names))
		return
	}
	if _, err := BindArgs(f.Definition, c.Args); err != nil {
		v.add(at, "%s: %v", where, err)
	}
}

func (v *stepValidator) setVars(at Position, where string, s *SetVars) {
	v.args(at, where, s.Vars)
	if len(s.Vars) == 0 {
		v.add(at, "%s sets nothing; write, for example, set: {count: \"${vars.count + 1}\"}", where)
	}
	for _, a := range s.Vars {
		v.kept(cmpPos(a.Pos, at), where, a.Name)
	}
}

// calls refuses flows that call themselves, directly or through others, and those
// that call one another too deep.
func (v *validator) calls() {
	depth := map[string]int{} // of the calls below a flow, by its name
	var path []string
	var visit func(def *Definition) (int, bool)
	visit = func(def *Definition) (int, bool) {
		if n, ok := depth[def.Name]; ok {
			return n, true
		}
		if i := slices.Index(path, def.Name); i >= 0 {
			v.add(def.Pos, "flows run one another in a circle (%s), which would never end; use a clock trigger to repeat a flow",
				strings.Join(append(path[i:len(path):len(path)], def.Name), " → "))
			return 0, false
		}
		path = append(path, def.Name)
		defer func() { path = path[:len(path)-1] }()
		deepest := 0
		for i := range def.Steps {
			c, ok := def.Steps[i].Activity.(*FlowCall)
			if !ok {
				continue
			}
			if f := v.d.Flow(c.Flow); f != nil {
				n, ok := visit(f.Definition)
				if !ok {
					return 0, false
				}
				deepest = max(deepest, n+1)
			}
		}
		depth[def.Name] = deepest
		if deepest == MaxCalls+1 {
			v.add(def.Pos, "flow %s runs flows more than %d deep; make fewer of them", def.Name, MaxCalls)
		}
		return deepest, true
	}
	for i := range v.d.Flows {
		if _, ok := visit(v.d.Flows[i].Definition); !ok {
			return
		}
	}
}
