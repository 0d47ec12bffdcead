package flows

import (
	"maps"
	"slices"

	"pithings/flow"
)

// asking is what flows ask of a thing that answers.
type asking struct {
	flows  []string // by deployment and name
	shared string   // a deployment that shares its events
	silent string   // the model whose answers do not say whose they are
}

// askedThings adds the things whose answers the flows of a document wait for.
func (f *Flows) askedThings(d *document, all map[string]*asking) {
	for _, b := range d.deployment.Things {
		seen, err := f.carriers.describe(d.deployment, b, f.library(d))
		if err != nil {
			continue // told when it is deployed
		}
		for _, fl := range d.deployment.Flows {
			for _, s := range fl.Definition.Steps {
				do, ok := s.Activity.(*flow.DeviceAction)
				if !ok || do.Role != "" && do.Role != b.Role {
					continue
				}
				action, ok := seen.model.Action(do.Action)
				if !ok || action.Answer == "" {
					continue
				}
				a := all[b.Thing]
				if a == nil {
					a = new(asking)
					all[b.Thing] = a
				}
				if name := d.deployment.Name + "/" + fl.Definition.Name; !slices.Contains(a.flows, name) {
					a.flows = append(a.flows, name)
				}
				if d.deployment.Shared != "" {
					a.shared = d.deployment.Name
				}
				if action.Token == "" {
					a.silent = seen.model.ID
				}
			}
		}
	}
}

// checkShared refuses flows that would take each other's answers: engines that
// share events may ask the same thing at the same time, and an answer finds the
// right engine only if it repeats a token. Of a thing that does not, one flow alone
// may wait for answers.
func (f *Flows) checkShared(d *document) error {
	all := map[string]*asking{}
	f.askedThings(d, all)
	mine := slices.Sorted(maps.Keys(all))
	f.mu.Lock()
	others := slices.Collect(maps.Values(f.inForce))
	f.mu.Unlock()
	for _, other := range others {
		if other.deployment.Name != d.deployment.Name {
			f.askedThings(other, all)
		}
	}
	for _, thing := range mine {
		a := all[thing]
		if a.shared != "" && a.silent != "" && len(a.flows) > 1 {
			slices.Sort(a.flows)
			return refuse("%s is shared among engines, and %s (%s) does not say in its answers which command they are for, so only one flow may use it; these do: %v. If it is a camera of pithings, say model: camera for its role",
				a.shared, thing, a.silent, a.flows)
		}
	}
	return nil
}
