package config

import (
	"encoding/json"

	"pithings/mqttlink/topic"
	"pithings/things"
)

// Thing is one part of the board under a name. In the file the keys of its kind stand
// beside name and type.
type Thing struct {
	Name string `json:"name" required:"true" expand:"name" change:"local" jsonschema:"name of the thing: letters, digits, _ . : -"`
	Type string `json:"type" required:"true" change:"local" jsonschema:"what the thing is"`
	// Topics has the template of every topic of the thing's contract, by role;
	// Topic expands one.
	Topics map[string]string `json:"topics" expand:"topic" change:"afar" jsonschema:"topics by their role; {thing} stands for the thing's name"`
	// Extra are keys that the thing's payloads have beside the documented ones.
	Extra map[string]string `json:"extra" change:"afar" jsonschema:"texts added to every payload that the thing publishes, by key; without them payloads are exactly the documented ones"`
	// MQTT is the thing's own connection, completely filled in; nil shares
	// Config.MQTT.
	MQTT *MQTT `json:"mqtt,omitempty" jsonschema:"the thing's own connection; what it does not give is that of the shared one, but for client_id and will"`

	// Settings are those of the thing's kind.
	Settings things.Settings `json:"-"`
}

// Extension returns the settings of the thing's kind, whose keys stand beside its own.
func (t *Thing) Extension() any {
	if t.Settings == nil {
		return nil
	}
	return t.Settings
}

// Topic returns the thing's topic for a role of its contract ("motion",
// "capture", …), or "" if it has no such role.
func (t *Thing) Topic(role string) string {
	return topic.Expand(t.Topics[role], t.Name)
}

// MarshalJSON puts the keys of the thing's type beside its name, as in the file.
func (t Thing) MarshalJSON() ([]byte, error) {
	type common Thing
	b, err := json.Marshal(common(t))
	if err != nil || t.Settings == nil {
		return b, err
	}
	p, err := json.Marshal(t.Settings)
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), p[1:]...), nil
}
