package discover

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"pithings/conf"
	"pithings/hw/probe"
	"pithings/things"
)

// candidate is a thing that can be made of a part, and its kind.
type candidate struct {
	things.Candidate
	kind *things.Kind
}

func candidates(c *probe.Connected) (all []candidate) {
	for _, k := range things.Kinds() {
		if k.Discover == nil {
			continue
		}
		for _, one := range k.Discover(c) {
			all = append(all, candidate{one, k})
		}
	}
	return all
}

// add lists the parts that only their kinds of things know.
func (r *Report) add(known []candidate) {
	for _, one := range known {
		if one.Found != "" && r.part(one.Part) == nil {
			r.Parts = append(r.Parts, Part{Group: groupOther, Name: one.Part, Found: one.Found})
		}
	}
}

// suggest adds what can be made of the parts that have no thing.
func (r *Report) suggest(owners []Owner, known []candidate) {
	names := map[string]bool{}
	for _, owner := range owners {
		for i := range owner.Things {
			names[owner.Things[i].Name] = true
		}
	}
	for _, one := range known {
		p := r.part(one.Part)
		if p == nil || p.Thing != "" || p.ours {
			continue
		}
		p.Problem, p.Fix = one.Problem, one.Fix
		if strings.ContainsFunc(p.Name, unicode.IsControl) {
			p.Problem = "its name has characters that a configuration cannot have"
		}
		if p.Problem == "" {
			name := unused(one.Name, names)
			p.Things = append(p.Things, Suggest{Name: name, Type: one.kind.Name, YAML: line(name, one.kind, one.Settings), Drives: one.Drives})
		}
	}
}

// unused returns name, or name with a number behind it, that is not among names, and adds it.
func unused(name string, names map[string]bool) string {
	free := name
	for n := 2; names[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	names[free] = true
	return free
}

// line writes a thing as an item of the list things: its name and type, the key that says
// which part it uses, and the keys that are not what they are by default.
func line(name string, k *things.Kind, s things.Settings) string {
	usual := k.New()
	conf.Fill(usual)
	return fmt.Sprintf("- {name: %s, type: %s%s}", conf.Scalar(name), k.Name, changed(conf.Fields(s), conf.Fields(usual)))
}

// changed writes the keys that name a part or are not what they are by default, each behind
// a comma.
func changed(fields, defaults []conf.Field) (text string) {
	for i, f := range fields {
		switch items := f.Items(); {
		case items != nil:
			var list []string
			for _, item := range items {
				list = append(list, "{"+strings.TrimPrefix(changed(item, defaults[i].Item()), ", ")+"}")
			}
			text += fmt.Sprintf(", %s: [%s]", f.Key, strings.Join(list, ", "))
		case f.Scalar() && (f.Tag.Get("part") != "" || !reflect.DeepEqual(f.Value.Interface(), defaults[i].Value.Interface())):
			text += fmt.Sprintf(", %s: %s", f.Key, f.YAML())
		}
	}
	return text
}
