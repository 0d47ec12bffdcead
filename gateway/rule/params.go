package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Params are the global parameters: those of the configuration, and what the gateway knows
// of itself.
type Params struct {
	Serial   string // of the machine
	MAC      string // of its network
	LogLevel string // info
	Readings int    // messages of variables that can wait; -1: no limit
	Alarms   int    // messages of alarms that can wait
	Custom   map[string]string
}

// first are the parameters of 1.x.
func (p *Params) first() *Dict {
	d := &Dict{{"gateway_sn", p.Serial}, {"log_level", strings.ToUpper(p.LogLevel)}, {"catch_recording", p.Readings}, {"warning_recording", p.Alarms}}
	p.custom(d)
	return d
}

// second are the parameters of 2.x.
func (p *Params) second() *Dict {
	d := &Dict{{"SN", p.Serial}, {"MAC", p.MAC}}
	p.custom(d)
	return d
}

func (p *Params) custom(d *Dict) {
	for _, name := range slices.Sorted(maps.Keys(p.Custom)) {
		d.set(name, p.Custom[name])
	}
}

var parameter = regexp.MustCompile(`\$\{([^}]*)\}`)

// Expand puts the parameters into a topic that has ${NAME}.
func (p *Params) Expand(topic string) (string, error) {
	if !strings.Contains(topic, "${") {
		return topic, nil
	}
	known := map[string]string{}
	for _, e := range append(*p.second(), *p.first()...) {
		known[e.Key] = fmt.Sprint(e.Value)
	}
	var missing []string
	expanded := parameter.ReplaceAllStringFunc(topic, func(all string) string {
		name := all[2 : len(all)-1]
		value, ok := known[name]
		if !ok || value == "" {
			missing = append(missing, name)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("topic %s: there is no global parameter %s; there are %s", topic, strings.Join(missing, ", "), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return expanded, nil
}
