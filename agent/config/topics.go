package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"pithings/conf"
	"pithings/mqttlink/topic"
	"pithings/things"
)

// thingName: what AWS IoT allows for the name of a thing, and the dot. Such a
// name is also fit for a topic level, a file name and a URL.
var thingName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$`)

func checkThingName(name string) error {
	switch {
	case name == "":
		return errors.New("a thing needs a name")
	case strings.ContainsAny(name, "+#"):
		return fmt.Errorf("thing name %s has an MQTT wildcard (+ or #); use letters, digits, _ . : -", conf.Quote(name))
	case strings.HasPrefix(name, "$"):
		return fmt.Errorf("thing name %s begins with $, which brokers keep for themselves; use letters, digits, _ . : -", conf.Quote(name))
	case strings.Contains(name, "/"):
		return fmt.Errorf("thing name %s has a slash; put levels into topics instead, for example %q", conf.Quote(name), "hall/{thing}/motion")
	case len(name) > 128:
		return fmt.Errorf("thing name %s is longer than 128 characters", conf.Quote(name))
	case !thingName.MatchString(name):
		return fmt.Errorf("thing name %s: use letters, digits, _ . : - and begin with a letter, a digit or _", conf.Quote(name))
	}
	return nil
}

// checkTopic refuses what cannot be published to, and beyond that what brokers keep for
// themselves.
func checkTopic(name string) error {
	var invalid *topic.Error
	switch err := topic.Check(name); {
	case errors.As(err, &invalid) && invalid.Rule == topic.Empty:
		return errors.New("a topic must not be empty")
	case errors.As(err, &invalid) && invalid.Rule == topic.Wildcard:
		return fmt.Errorf("topic %s has a wildcard (+ or #)", conf.Quote(name))
	case errors.As(err, &invalid):
		return fmt.Errorf("topic %s: %s", conf.Quote(name), invalid.Why)
	case strings.HasPrefix(name, "$") && !strings.HasPrefix(name, "$aws/rules/"):
		return fmt.Errorf("topic %s begins with $, which brokers keep for themselves", conf.Quote(name))
	}
	return nil
}

// checkTemplate checks a topic template and what becomes of it. usual is the one that the
// contract has: what stands for something there has to do so here, too.
func checkTemplate(template, usual, thing string) error {
	filled := template
	for _, placeholder := range things.Placeholders(usual) {
		if placeholder == topic.Thing {
			continue
		}
		if !strings.Contains(filled, placeholder) {
			return fmt.Errorf("topic %s: it needs %s, which stands for several", conf.Quote(template), placeholder)
		}
		filled = strings.ReplaceAll(filled, placeholder, "x")
	}
	if !topic.OnlyThing(filled) {
		return fmt.Errorf("topic %s: only %s is replaced, and {hostname}, {serial}, {machine} and {env.NAME}", conf.Quote(template), topic.Thing)
	}
	return checkTopic(topic.Expand(filled, thing))
}
