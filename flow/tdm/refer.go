package tdm

import (
	"slices"
	"strings"

	"pithings/conf/suggest"
)

// urnKinds are the kinds of which a URN says that it is one.
var urnKinds = []string{"property", "state", "event", "action", "capability", "devicemodel", "device", "service", "workflow", "system", "deployment", "enum"}

// checkReferences refuses URNs of another kind than their place is for, and those of
// nothing that is defined, if another was meant or if nothing else notices.
func (d *Documents) checkReferences(r *reader) {
	for _, ref := range r.references {
		kind := strings.ToLower(ref.of.kind)
		names := d.names(ref.kinds)
		if !slices.Contains(ref.kinds, kind) {
			if slices.Contains(urnKinds, kind) {
				r.problems.add(ref.pos, "write that of "+articles(ref.kinds)+suggestion(ref.of.name, names), "%s: %s is the URN of %s", ref.what, ref.of.text, articles([]string{kind}))
			}
			continue
		}
		aws := strings.EqualFold(ref.of.namespace, "aws")
		_, plain := jsonTypes[strings.ToLower(ref.of.name)]
		if slices.Contains(d.entities(kind), ref.of.key()) || slices.Contains(d.builtin.entities(kind), ref.of.key()) || aws && kind == "property" && plain {
			continue
		}
		if kind == "devicemodel" && len(d.devicesOf(ref.of, urn{})) > 0 {
			continue // its devices say all that is needed
		}
		own := strings.ToLower(ref.of.name)
		near := suggestion(own, slices.DeleteFunc(names, func(s string) bool { return s == own }))
		switch foreign := aws || strings.EqualFold(ref.of.namespace, "aws/examples") || ref.of.namespace == ownNamespace; {
		case near != "":
			r.problems.add(ref.pos, strings.TrimPrefix(near, "; "), "%s: %s %s is not defined here", ref.what, kind, ref.of.text)
		case ref.must && !foreign:
			r.problems.add(ref.pos, "add its document", "%s: %s %s is not defined here", ref.what, kind, ref.of.text)
		}
	}
}

// articles are kinds as they are read: "a device or an enum".
func articles(kinds []string) string {
	var out []string
	for _, kind := range kinds {
		article := "a "
		if strings.ContainsRune("aeiou", rune(kind[0])) {
			article = "an "
		}
		out = append(out, article+strings.Replace(kind, "devicemodel", "device model", 1))
	}
	return strings.Join(out, " or ")
}

// suggestion is the nearest name, if one could be meant.
func suggestion(name string, names []string) string {
	if near := suggest.Nearest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// names are those of the entities of some kinds, as their URNs end.
func (d *Documents) names(kinds []string) []string {
	var names []string
	for _, kind := range kinds {
		for _, key := range append(d.entities(kind), d.builtin.entities(kind)...) {
			names = append(names, key[strings.LastIndexByte(key, ':')+1:])
		}
		if kind == "property" {
			names = append(names, keysOf(jsonTypes)...)
		}
	}
	return names
}
