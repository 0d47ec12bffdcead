package config

import (
	"maps"
	"slices"

	"pithings/conf"
	"pithings/things"
)

// topicsOf returns the topics that a thing of a type has, by role.
func topicsOf(name string) things.Topics {
	if k := things.KindOf(name); k != nil {
		return k.Templates()
	}
	return nil
}

func rolesOf(name string) []string { return slices.Sorted(maps.Keys(topicsOf(name))) }

// newThing returns a thing with the defaults of its type, which must be known.
func newThing(name string) Thing {
	t := Thing{Type: name, Topics: map[string]string{}, Extra: map[string]string{}, Settings: things.KindOf(name).New()}
	conf.Fill(t.Settings)
	maps.Copy(t.Topics, topicsOf(name))
	return t
}

// keysOf lists the keys that only things of a type have.
func keysOf(name string) []string {
	t := newThing(name)
	return conf.Keys(conf.Fields(t.Settings))
}

// withKey lists the types of things that have a key.
func withKey(key string) []string {
	var names []string
	for _, name := range things.KindNames() {
		if slices.Contains(keysOf(name), key) {
			names = append(names, name)
		}
	}
	return names
}
