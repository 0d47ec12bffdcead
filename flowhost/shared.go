package flowhost

import (
	"cmp"
	"slices"
)

// askers are the active documents that wait for answers of one thing.
type askers struct {
	docs           map[*document]bool
	shared, silent int // how many of them are shared, or see no token in the answers
}

func (d *document) silentOn(thing string) bool {
	return slices.ContainsFunc(d.asks, func(a asking) bool { return a.thing == thing && a.model != "" })
}

// sharing has the active documents that wait for answers, by thing. Whoever changes
// what is deployed holds Flows.one.
type sharing map[string]*askers

// check refuses flows that would take each other's answers: engines that
// share events may ask the same thing at the same time, and an answer finds the
// right engine only if it repeats a token. Of a thing that does not, one flow alone
// may wait for answers.
func (s sharing) check(d *document) error {
	for _, mine := range d.asks {
		on := s[mine.thing]
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

// note notes a document that comes into force, or goes out of it.
func (s sharing) note(d *document, inForce bool) {
	for _, a := range d.asks {
		on := s[a.thing]
		if on == nil {
			on = &askers{docs: map[*document]bool{}}
			s[a.thing] = on
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
			delete(s, a.thing)
		}
	}
}
