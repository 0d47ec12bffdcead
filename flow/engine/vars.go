package engine

import (
	"encoding/json"
	"fmt"
	"maps"

	"pithings/flow"
)

// setVars sets kept variables. Their values are computed while no other step sets any,
// so that counting loses nothing. The execution's lock is held.
func (x *execution) setVars(s *flow.SetVars) *stepError {
	m := x.s.memory
	if m == nil {
		return &stepError{flow.ErrorRuntime, "the file has no vars"}
	}
	m.setting.Lock()
	defer m.setting.Unlock()
	vars := maps.Clone(m.vars())
	for _, a := range s.Vars {
		v, err := a.Value.Eval(x)
		if err != nil {
			return &stepError{flow.ErrorRuntime, fmt.Sprintf("%s: %v", a.Name, err)}
		}
		vars[a.Name] = v
	}
	text, err := json.Marshal(values(vars))
	if err != nil {
		return &stepError{flow.ErrorRuntime, "vars: " + err.Error()}
	}
	if len(text) > flow.MaxVarBytes {
		return &stepError{flow.ErrorRuntime, fmt.Sprintf("the vars would have %d bytes together, and may have %d", len(text), flow.MaxVarBytes)}
	}
	m.change(func(k *kept) { k.Vars = vars })
	return nil
}
