package tdm

import (
	"slices"

	"pithings/flow"
	"pithings/flow/expr"
)

// Things Graph hands devices to a workflow as parameters: the workflow has
// deviceId: "${camera}", and each startFlow passes bindings[name ==
// 'camera'].deviceId. Our own format names the role in the step. fold turns the
// first into the second where every start of the flow passes the same role, and
// unfold turns it back.

// fold replaces parameters that are nothing but a role by the role.
func fold(d *flow.Deployment, def *flow.Definition) {
	used := usedOtherwise(def)
	for i := len(def.Parameters) - 1; i >= 0; i-- {
		p := def.Parameters[i]
		role, ok := passedRole(d, def, i)
		if !ok || !p.Default.IsZero() || used[p.Name] {
			continue
		}
		for j := range def.Steps {
			if a, ok := def.Steps[j].Activity.(*flow.DeviceAction); ok && a.Device != nil && isVariable(a.Device, p.Name) {
				a.Role, a.Device = role, nil
			}
		}
		def.Parameters = without(def.Parameters, i)
		for j := range d.Triggers {
			for k := range d.Triggers[j].Start {
				if s := &d.Triggers[j].Start[k]; s.Flow == def.Name {
					s.Args = without(s.Args, i)
				}
			}
		}
	}
	for i := range def.Steps {
		a, ok := def.Steps[i].Activity.(*flow.DeviceAction)
		if !ok || a.Role == "" || a.DeviceURN != "" {
			continue
		}
		if b, ok := d.Binding(a.Role); ok && sameURN(b.Model, a.Model) {
			a.Model = "" // the binding says it
		}
	}
}

// without removes an element; nothing left is nil, as when nothing was written.
func without[E any](s []E, i int) []E {
	if len(s) == 1 {
		return nil
	}
	return slices.Delete(s, i, i+1)
}

func sameURN(a, b string) bool {
	u, ok := parseURN(a)
	v, ok2 := parseURN(b)
	return ok && ok2 && u.key() == v.key()
}

// passedRole is the role that all starts of a flow pass as its i-th parameter.
func passedRole(d *flow.Deployment, def *flow.Definition, i int) (string, bool) {
	found := ""
	for _, t := range d.Triggers {
		for _, s := range t.Start {
			if s.Flow != def.Name {
				continue
			}
			if i >= len(s.Args) || s.Args[i].Value.Expr == nil {
				return "", false
			}
			role, ok := bound(s.Args[i].Value.Expr.Root())
			if !ok || found != "" && found != role {
				return "", false
			}
			found = role
		}
	}
	if found == "" { // nothing starts it but a hand
		if b, ok := d.Binding(def.Parameters[i].Name); ok {
			return b.Role, true
		}
	}
	return found, found != ""
}

func isVariable(e *expr.Expr, name string) bool {
	v, ok := e.Root().(*expr.Name)
	return ok && v.Name == name
}

// usedOtherwise are the names that a definition uses but as a step's device.
func usedOtherwise(def *flow.Definition) map[string]bool {
	used := map[string]bool{}
	expressions(def, func(e *expr.Expr, device bool) {
		if _, whole := e.Root().(*expr.Name); device && whole {
			return
		}
		rewrite(e.Root(), func(n expr.Node) expr.Node {
			if v, ok := n.(*expr.Name); ok {
				used[v.Name] = true
			}
			return n
		})
	})
	return used
}

// expressions calls fn for each expression of a definition; device says that it
// says which device a step uses.
func expressions(def *flow.Definition, fn func(e *expr.Expr, device bool)) {
	see := func(e *expr.Expr) {
		if e != nil {
			fn(e, false)
		}
	}
	args := func(as []flow.Arg) {
		for _, a := range as {
			see(a.Value.Expr)
		}
	}
	for _, s := range def.Steps {
		see(s.Condition)
		see(s.In.When)
		args(s.Args())
		switch a := s.Activity.(type) {
		case *flow.DeviceAction:
			if a.Device != nil {
				fn(a.Device, true)
			}
		case *flow.Choice:
			for _, r := range a.Rules {
				see(r.When)
			}
		}
		for _, r := range s.Retries {
			see(r.Condition)
		}
		for _, c := range s.Catches {
			see(c.Condition)
		}
		for _, c := range s.Checks {
			see(c.Condition)
		}
	}
}

// foldedRoles are the roles that a definition's steps name, in the order of
// their first use.
func foldedRoles(d *flow.Deployment, def *flow.Definition) []string {
	var roles []string
	for _, s := range def.Steps {
		if a, ok := s.Activity.(*flow.DeviceAction); ok && a.Role != "" && !slices.Contains(roles, a.Role) {
			roles = append(roles, a.Role)
		}
	}
	return roles
}

// unfold makes a copy of a definition in which devices are parameters, before
// its own.
func unfold(d *flow.Deployment, def *flow.Definition) *flow.Definition {
	out := *def
	out.Parameters = nil
	taken := map[string]bool{}
	for _, p := range def.Parameters {
		taken[p.Name] = true
	}
	for _, v := range def.Variables {
		taken[v.Name] = true
	}
	names := map[string]string{} // of parameters by role
	for _, role := range foldedRoles(d, def) {
		name := role
		for taken[name] {
			name += "Device"
		}
		taken[name], names[role] = true, name
		out.Parameters = append(out.Parameters, flow.Parameter{Name: name, Type: "string", Required: true, Pos: def.Pos})
	}
	out.Parameters = append(out.Parameters, def.Parameters...)
	out.Steps = slices.Clone(def.Steps)
	for i := range out.Steps {
		a, ok := out.Steps[i].Activity.(*flow.DeviceAction)
		if !ok || a.Role == "" {
			continue
		}
		action := *a
		action.Device = expr.New(&expr.Name{Name: names[a.Role]})
		out.Steps[i].Activity = &action
	}
	return &out
}
