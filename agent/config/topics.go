package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"pithings/things"
)

// thingPlaceholder stands for the thing's name in a topic template.
const thingPlaceholder = "{thing}"

// contracts are the topics that a thing of each type has, by role.
var contracts = map[string]things.Topics{
	MotionType:      things.MotionTopics,
	EnvironmentType: things.EnvironmentTopics,
	CameraType:      things.CameraTopics,
	ScreenType:      things.ScreenTopics,
}

func rolesOf(kind string) []string { return slices.Sorted(maps.Keys(contracts[kind])) }

// thingName: what AWS IoT allows for the name of a thing, and the dot. Such a
// name is also fit for a topic level, a file name and a URL.
var thingName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$`)

func checkThingName(name string) error {
	switch {
	case name == "":
		return errors.New("a thing needs a name")
	case strings.ContainsAny(name, "+#"):
		return fmt.Errorf("thing name %s has an MQTT wildcard (+ or #); use letters, digits, _ . : -", quote(name))
	case strings.HasPrefix(name, "$"):
		return fmt.Errorf("thing name %s begins with $, which brokers keep for themselves; use letters, digits, _ . : -", quote(name))
	case strings.Contains(name, "/"):
		return fmt.Errorf("thing name %s has a slash; put levels into topics instead, for example %q", quote(name), "hall/{thing}/motion")
	case len(name) > 128:
		return fmt.Errorf("thing name %s is longer than 128 characters", quote(name))
	case !thingName.MatchString(name):
		return fmt.Errorf("thing name %s: use letters, digits, _ . : - and begin with a letter, a digit or _", quote(name))
	}
	return nil
}

// checkTopic refuses what cannot be published to (MQTT 3.1.1, section 4.7).
func checkTopic(topic string) error {
	switch {
	case topic == "":
		return errors.New("a topic must not be empty")
	case len(topic) > 65535:
		return errors.New("a topic has at most 65535 bytes")
	case !utf8.ValidString(topic) || strings.ContainsFunc(topic, unicode.IsControl):
		return fmt.Errorf("topic %s has a control character", quote(topic))
	case strings.ContainsAny(topic, "+#"):
		return fmt.Errorf("topic %s has a wildcard (+ or #)", quote(topic))
	case strings.HasPrefix(topic, "$") && !strings.HasPrefix(topic, "$aws/rules/"):
		return fmt.Errorf("topic %s begins with $, which brokers keep for themselves", quote(topic))
	}
	return nil
}

// checkTemplate checks a topic template and what becomes of it.
func checkTemplate(template, thing string) error {
	if rest := strings.ReplaceAll(template, thingPlaceholder, ""); strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("topic %s: only %s is replaced", quote(template), thingPlaceholder)
	}
	return checkTopic(strings.ReplaceAll(template, thingPlaceholder, thing))
}
