package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"pithings/mqttlink/durable"
)

// FileName is the file in the state folder that remembers what was published.
const FileName = "home-assistant"

// maxMemory bounds the file: a message, and what is written around its components.
const maxMemory = 2 * MaxPayload

// memory is what has been published, so that it can be taken back. It is written before the
// message that it is about.
type memory struct {
	// Topics are those whose retained messages stand or may stand at the broker, and which are to be
	// emptied when they are not used any more: the message's and the state's.
	Topics []string `json:"topics"`
	// Components are those of the last message, by their ids.
	Components map[string]remembered `json:"components,omitempty"`
	// Gone are the platforms of components whose removal has not been delivered yet.
	Gone map[string]string `json:"gone,omitempty"`
}

// remembered is a component of the last message.
type remembered struct {
	Thing string          `json:"thing,omitempty"`
	Keys  json.RawMessage `json:"keys"`
}

// Remembered reports whether something has been published from a state folder that is not taken
// back.
func Remembered(dir string) bool {
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, FileName))
	return err == nil
}

// recall reads the memory. One that is damaged is as good as none: components that are gone stay
// in Home Assistant until people delete them.
func recall(dir string) (m memory, err error) {
	text, err := durable.ReadFile(filepath.Join(dir, FileName), maxMemory)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return memory{}, fmt.Errorf("what was published to Home Assistant before is not known: %w", err)
	}
	return m, nil
}

// save writes the memory, or removes the file if there is nothing to take back any more.
func (m *memory) save(dir string) error {
	name := filepath.Join(dir, FileName)
	if len(m.Topics) == 0 {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return durable.Replace(name, text)
}

// follow takes over a message that is to be published now. A component that it does not have is
// gone, unless it is of one of the things of which not all is known yet: then it stays in the
// message as it was.
func (m *memory) follow(next *Message, topics []string, unknown map[string]bool) {
	for _, t := range topics {
		if !slices.Contains(m.Topics, t) {
			m.Topics = append(m.Topics, t)
		}
	}
	gone := maps.Clone(m.Gone)
	if gone == nil {
		gone = map[string]string{}
	}
	size := len(next.Payload(nil))
	for key, old := range m.Components {
		if _, there := next.components[key]; there {
			continue
		}
		var keys object
		if err := json.Unmarshal(old.Keys, &keys); err != nil {
			continue
		}
		if n := len(key) + len(old.Keys) + len(`"":,`); unknown[old.Thing] && size+n <= MaxPayload {
			size += n
			next.components[key] = component{thing: old.Thing, keys: keys}
			continue
		}
		gone[key], _ = keys["p"].(string)
	}
	m.Components = make(map[string]remembered, len(next.components))
	for key, c := range next.components {
		delete(gone, key)
		m.Components[key] = remembered{c.thing, json.RawMessage(encode(c.keys))}
	}
	m.Gone = gone
}

// delivered forgets components whose removal the broker has.
func (m *memory) delivered(gone map[string]string) {
	maps.DeleteFunc(m.Gone, func(key, _ string) bool { _, was := gone[key]; return was })
}

// others are remembered topics that are not among those.
func (m *memory) others(topics []string) (all []string) {
	for _, t := range m.Topics {
		if !slices.Contains(topics, t) {
			all = append(all, t)
		}
	}
	return all
}

// emptied forgets a topic.
func (m *memory) emptied(topic string) {
	m.Topics = slices.DeleteFunc(m.Topics, func(t string) bool { return t == topic })
}
