package homeassistant

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"pithings/device"
	"pithings/mqttlink"
)

// Description is what Home Assistant is to know of this device.
type Description struct {
	ID      string // the client id of its connection, which no other client of the broker has
	Prefix  string // the first levels of Home Assistant's discovery topics: homeassistant
	Name    string // for people
	Model   string // of the computer, such as "Raspberry Pi 4 Model B Rev 1.4"; "" if it is not known
	Serial  string // of the computer; "" if it is not known
	Version string // of the program
	URL     string // where people see more of the device; "": nowhere
	// Presence is where the connection reports whether it is there; nil: it does not.
	Presence *mqttlink.Presence
	Things   []Thing // in the order of the configuration
}

// Thing is one thing of the device.
type Thing struct {
	Name  string
	Model device.Model // {thing} stands for the name in its topics
	// Unknown says that what it measures is not known until its part is open.
	Unknown bool
	// Presence is that of a connection of its own; nil: it has none, or one that reports nothing.
	Presence *mqttlink.Presence
	Settings []Setting
}

// object is an object of JSON.
type object = map[string]any

// objectID is the name of the device in topics and unique ids, which have letters, digits, _
// and - only.
func objectID(id string) string { return "pithings-" + slug(id) }

// slug returns a text of letters, digits, _ and -: the same, or one that no other text has.
func slug(text string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	if plain == text && len(text) <= 128 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return plain[:min(len(plain), 128)] + "-" + hex.EncodeToString(sum[:4])
}

// DiscoveryTopic is where Home Assistant looks for the message.
func DiscoveryTopic(prefix, id string) string { return prefix + "/device/" + objectID(id) + "/config" }

// StateTopic is where settings, states of parts and the version are published.
func StateTopic(id string) string { return id + stateSuffix }

const stateSuffix = "/home_assistant/state"

// SetTopic is where Home Assistant sets settings.
func SetTopic(id string) string { return id + "/home_assistant/set" }

// LatestTopic is where the newest version of pithings may be published, retained, for all devices
// of a broker.
const LatestTopic = "pithings/latest_version"
