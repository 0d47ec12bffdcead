package config

import (
	"slices"
	"strings"

	"pithings/conf"
	"pithings/conf/suggest"
)

// envPrefix begins the name of every environment variable that is ours.
const envPrefix = "PITHINGS_"

// envOther are variables of ours that are no keys of the configuration:
// PITHINGS_CONFIG names the file, for the command line; PITHINGS_DUMPABLE allows debuggers.
var envOther = []string{"PITHINGS_CONFIG", "PITHINGS_DUMPABLE"}

// envField is a key outside the lists, as a variable.
type envField struct {
	conf.Leaf
	name string // PITHINGS_MQTT_ENDPOINT
}

// envFields lists the variables that c takes. Their names are the path of the
// key in capitals, with _ between its parts.
func envFields(c *Config) (list []envField) {
	for _, f := range conf.Leaves(c) {
		if f.Scalar() && f.Tag.Get("env") != "-" && !strings.Contains(f.Path, "[]") {
			list = append(list, envField{f, envPrefix + strings.ToUpper(strings.ReplaceAll(f.Path, ".", "_"))})
		}
	}
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
func environment(d *conf.Decoder, c *Config, env []string) {
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
			if near := suggest.Nearest(name, known); near != "" {
				hint = "; did you mean " + near + "?"
			}
			d.Problems.Add(conf.Problem{Source: conf.Clip(name), Message: "unknown environment variable" + hint})
			continue
		}
		d.SetFrom(name, fields[i].Field, fields[i].Path, last[name])
	}
	// A password from the environment replaces a file named in the
	// configuration, and the other way round.
	fromEnv := func(path string) bool { return d.Given(path) && !d.InFile(path) }
	if one, other := fromEnv("mqtt.password"), fromEnv("mqtt.password_file"); one && !other {
		c.MQTT.PasswordFile = ""
	} else if other && !one {
		c.MQTT.Password = conf.Secret{}
	}
}
