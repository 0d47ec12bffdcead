package flows

import (
	"cmp"
	"slices"

	"pithings/flow"
)

// asking is that a flow of a document waits for answers of a thing.
type asking struct {
	thing string
	model string // whose answers do not say whose they are; "" if they do
	flow  string
}

// askings lists what the flows of a document wait for.
func (f *Flows) askings(d *document) (all []asking) {
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
				one := asking{thing: b.Thing, flow: d.deployment.Name + "/" + fl.Definition.Name}
				if action.Token == "" {
					one.model = seen.model.ID
				}
				if !slices.Contains(all, one) {
					all = append(all, one)
				}
			}
		}
	}
	return all
}

// askers are the documents in force that wait for answers of one thing.
type askers struct {
	docs           map[*document]bool
	shared, silent int // how many of them are shared, or see no token in the answers
}

func (d *document) silentOn(thing string) bool {
	return slices.ContainsFunc(d.asks, func(a asking) bool { return a.thing == thing && a.model != "" })
}

// checkShared refuses flows that would take each other's answers: engines that
// share events may ask the same thing at the same time, and an answer finds the
// right engine only if it repeats a token. Of a thing that does not, one flow alone
// may wait for answers. one is held.
func (f *Flows) checkShared(d *document) error {
	for _, mine := range d.asks {
		on := f.askers[mine.thing]
		if on == nil {
			on = new(askers)
		}
		if on.shared == 0 && d.deployment.Shared == "" || on.silent == 0 && !d.silentOn(mine.thing) {
			continue
		}
		group, model, flows := d.deployment.Shared, "", []string{}
		add := func(of *document) {
			for _, a := range of.asks {
				if a.thing == mine.thing {
					model = cmp.Or(model, a.model)
					flows = append(flows, a.flow)
				}
			}
			group = cmp.Or(group, of.deployment.Shared)
		}
		add(d)
		for other := range on.docs {
			if other.deployment.Name != d.deployment.Name {
				add(other)
			}
		}
		slices.Sort(flows)
		if flows = slices.Compact(flows); group != "" && model != "" && len(flows) > 1 {
			return refuse("the group %s shares flows on %s (%s), which does not say in its answers which command they are for, so only one flow may use it; these do: %v. If it is a camera of pithings, say model: camera for its role",
				group, mine.thing, model, flows)
		}
	}
	return nil
}

// asked notes a document that comes into force, or goes out of it. one is held.
func (f *Flows) asked(d *document, inForce bool) {
	for _, a := range d.asks {
		on := f.askers[a.thing]
		if on == nil {
			on = &askers{docs: map[*document]bool{}}
			f.askers[a.thing] = on
		}
		if on.docs[d] == inForce {
			continue
		}
		n := 1
		if inForce {
			on.docs[d] = true
		} else {
			delete(on.docs, d)
			n = -1
		}
		if d.deployment.Shared != "" {
			on.shared += n
		}
		if d.silentOn(a.thing) {
			on.silent += n
		}
		if len(on.docs) == 0 {
			delete(f.askers, a.thing)
		}
	}
}
