package flow

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pithings/device"
	"pithings/mqttlink/topic"
)

// ValidateModel says what is wrong with a model: an event or action without a topic,
// a topic with wildcards, an unknown type.
func ValidateModel(m device.Model) error {
	for _, name := range slices.Sorted(maps.Keys(m.Events)) {
		e := m.Events[name]
		if err := checkTopic(e.Topic); err != nil {
			return fmt.Errorf("device model %s, event %s: %w", m.ID, name, err)
		}
		if err := checkPayload(e.Payload); err != nil {
			return fmt.Errorf("device model %s, event %s: %w", m.ID, name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Actions)) {
		if err := checkAction(m.Actions[name]); err != nil {
			return fmt.Errorf("device model %s, action %s: %w", m.ID, name, err)
		}
	}
	if len(m.Events)+len(m.Actions) == 0 {
		return fmt.Errorf("device model %s has neither events nor actions", m.ID)
	}
	return nil
}

func checkAction(a device.ActionModel) error {
	if err := checkTopic(a.Topic); err != nil {
		return err
	}
	if a.Answer != "" {
		if err := checkTopic(a.Answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	if err := checkTypes(a.Params); err != nil {
		return err
	}
	if err := checkRequest("request", a.Request); err != nil {
		return err
	}
	if a.Token != "" && a.IsText() {
		return fmt.Errorf("token: the request is text, and only an object has a key for a token; leave one of them out")
	}
	return checkPayload(a.Result)
}

func checkTypes(params map[string]device.ValueType) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "" {
			return fmt.Errorf("a param has no name; give it one")
		}
		if t := params[name]; !t.Valid() {
			return fmt.Errorf("param %s has the unknown type %q", name, t)
		}
	}
	return nil
}

func checkPayload(p device.Payload) error {
	for key, t := range p.Keys {
		if !t.Valid() {
			return fmt.Errorf("key %s has the unknown type %q", key, t)
		}
	}
	if p.Bare != "" && !p.Bare.Valid() {
		return fmt.Errorf("a bare value of the unknown type %q", p.Bare)
	}
	if p.Bare != "" && len(p.Keys) > 0 {
		return fmt.Errorf("a payload has keys or is bare, not both")
	}
	return nil
}

// maxTopic is the longest topic that AWS IoT Core takes, in bytes; a thing's name
// takes up to 128 of them.
const maxTopic = 256

// checkTopic checks a template of a topic for devices: the topic is valid, and short enough
// for any broker.
func checkTopic(template string) error {
	name := topic.Expand(template, "t")
	var invalid *topic.Error
	switch err := topic.Check(name); {
	case template == "":
		return fmt.Errorf(`no topic; write one such as "{thing}/motion"`)
	case errors.As(err, &invalid) && invalid.Rule == topic.Wildcard:
		return fmt.Errorf("topic %q has wildcards; write out the topic", template)
	case !topic.OnlyThing(template):
		return fmt.Errorf("topic %q: only {thing} is filled in", template)
	case len(name) > maxTopic:
		return fmt.Errorf("topic %q is longer than %d bytes", template, maxTopic)
	case err != nil:
		return fmt.Errorf("topic %q: %w", template, err)
	}
	return nil
}
