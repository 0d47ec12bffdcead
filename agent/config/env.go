package config

import (
	"reflect"
	"slices"
	"strings"

	"pithings/flow"
)

// envPrefix begins the name of every environment variable that is ours.
const envPrefix = "PITHINGS_"

// envOther are variables of ours that are no keys of the configuration:
// PITHINGS_CONFIG names the file, for the command line.
var envOther = []string{"PITHINGS_CONFIG"}

// envField is a key outside the lists, as a variable.
type envField struct {
	field
	name string // PITHINGS_MQTT_ENDPOINT
	path string // mqtt.endpoint
}

// envFields lists the variables that c takes. Their names are the path of the
// key in capitals, with _ between its parts.
func envFields(c *Config) (list []envField) {
	var walk func(p any, path string)
	walk = func(p any, path string) {
		for _, f := range fieldsOf(p) {
			at := join(path, f.key)
			switch {
			case f.scalar():
				name := envPrefix + strings.ToUpper(strings.ReplaceAll(at, ".", "_"))
				list = append(list, envField{f, name, at})
			case f.value.Kind() == reflect.Struct:
				walk(f.value.Addr().Interface(), at)
			}
		}
	}
	walk(c, "")
	return list
}

// EnvNames lists the environment variables that override keys.
func EnvNames() []string {
	var names []string
	for _, f := range envFields(new(Config)) {
		names = append(names, f.name)
	}
	return names
}

// environment applies env, a list of NAME=VALUE; the last of equal names holds.
func (d *decoder) environment(c *Config, env []string) {
	fields := envFields(c)
	last := map[string]string{}
	var names []string
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) || slices.Contains(envOther, name) {
			continue
		}
		if _, again := last[name]; !again {
			names = append(names, name)
		}
		last[name] = value
	}
	for _, name := range names {
		i := slices.IndexFunc(fields, func(f envField) bool { return f.name == name })
		if i < 0 {
			var known []string
			for _, f := range fields {
				known = append(known, f.name)
			}
			hint := "; pithings config example shows the keys"
			if near := flow.Nearest(name, known); near != "" {
				hint = "; did you mean " + near + "?"
			}
			d.problems.add(Problem{Source: quoteless(name), Message: "unknown environment variable" + hint})
			continue
		}
		f := fields[i]
		d.places[f.path] = place{source: name}
		if err := f.set(last[name]); err != nil {
			d.problems.add(Problem{Source: name, Message: err.Error()})
		}
	}
	// A password from the environment replaces a file named in the
	// configuration, and the other way round.
	fromEnv := func(path string) bool { p, ok := d.places[path]; return ok && p.source != d.source }
	if one, other := fromEnv("mqtt.password"), fromEnv("mqtt.password_file"); one && !other {
		c.MQTT.PasswordFile = ""
	} else if other && !one {
		c.MQTT.Password = Secret{}
	}
}
