package config

import (
	"strings"

	"pithings/conf"
)

// Keys are settings by their names, as "mqtt.queue.max", with their values in effect.
type Keys []conf.Field

// OwnKeys are the settings that are not of one thing.
func (c *Config) OwnKeys() Keys { return conf.Fields(c) }

// Keys are the settings of the thing.
func (t *Thing) Keys() Keys { return conf.Fields(t) }

// find returns the field of that name, and whether it is a section of further keys.
func (k Keys) find(key string) (f conf.Field, section, ok bool) {
	name, rest, more := strings.Cut(key, ".")
	for _, f := range k {
		if f.Key != name {
			continue
		}
		inner := f.Section()
		if more {
			return Keys(inner).find(rest)
		}
		return f, inner != nil, true
	}
	return f, false, false
}

// Key returns from where a setting may be changed. A list of sections is one setting.
func (k Keys) Key(key string) (change conf.Change, ok bool) {
	f, section, ok := k.find(key)
	switch {
	case !ok || section:
		return "", false
	case f.ChangesAfar():
		return conf.Afar, true
	}
	return conf.Local, true
}

// Group reports whether settings have names that begin with key and a dot.
func (k Keys) Group(key string) bool {
	_, section, ok := k.find(key)
	return ok && section
}

// Afar returns the values of the settings that may be changed from afar, as JSON has them.
func (k Keys) Afar() map[string]any {
	all := map[string]any{}
	for _, f := range k {
		var v any
		if inner := f.Section(); inner != nil {
			if values := Keys(inner).Afar(); len(values) > 0 {
				v = values
			}
		} else if f.ChangesAfar() && !f.Secret() {
			v = f.JSON()
		}
		if v != nil {
			all[f.Key] = v
		}
	}
	return all
}

// As has the values in effect written as laid writes them, where both mean the same: a cloud
// that compares them as text finds no difference then.
func (k Keys) As(values, laid map[string]any) {
	for key, v := range laid {
		f, section, ok := k.find(key)
		switch inner, isObject := v.(map[string]any); {
		case !ok || strings.Contains(key, "."):
		case section && isObject:
			if have, ok := values[key].(map[string]any); ok {
				Keys(f.Section()).As(have, inner)
			}
		case f.ChangesAfar() && f.Means(v):
			values[key] = v
		}
	}
}

// Standing reads what was accepted, as Accepted does, and notes it in r as it stands over the
// file.
func (k *Candidate) Standing(c *Config, file []byte) (*Layer, []conf.Warning) {
	_, warnings := k.Over(c, file)
	layer, more := Accepted(func(*Config) string { return k.State })(c, file)
	return layer, append(warnings, more...)
}
