package config

import (
	"slices"
	"strings"

	"pithings/conf"
)

// Values lists every key with its effective value in the order of the file. Secrets are
// "[set]".
func (c *Config) Values() []conf.Value { return conf.Values(c, c.origin) }

// Show is the effective configuration as YAML, with a comment behind each value.
func (c *Config) Show(comment func(conf.Value) string) string {
	return conf.Show(c, c.origin, comment)
}

// origin is where the value at a path comes from: a thing's own connection has what it does
// not give from the shared one, and a password may have been in a file.
func (c *Config) origin(path string) string {
	candidates := []string{path}
	if p, ok := strings.CutSuffix(path, "password"); ok {
		candidates = append(candidates, p+"password_file")
	}
	if _, key, own := strings.Cut(path, "].mqtt."); own && inherited(key) {
		for _, p := range slices.Clone(candidates) {
			_, key, _ := strings.Cut(p, "].mqtt.")
			candidates = append(candidates, "mqtt."+key)
		}
	}
	return c.places.Origin(candidates...)
}

// inherited reports whether a thing's own connection has the value of a key from the shared
// one, if it does not give it.
func inherited(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	return !slices.Contains([]string{"client_id", "status", "will", "birth", "close"}, section)
}
