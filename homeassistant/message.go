package homeassistant

import (
	"slices"
	"sort"
	"strings"

	"pithings/mqttlink"
)

// MaxPayload bounds the message, in bytes: what AWS IoT Core takes, and far below what brokers
// are configured for.
const MaxPayload = 128 << 10

// Message is the discovery message before it is encoded.
type Message struct {
	Topic string
	root  object
	// Components are those of the device, by their ids.
	components map[string]component
	// Left are the things of which something was left out, because the message was too long.
	Left []string
}

// Make makes the message of a device.
func Make(d *Description) *Message {
	id := objectID(d.ID)
	dev := object{"ids": []string{id}, "name": d.Name}
	for _, x := range []struct{ key, value string }{{"mdl", d.Model}, {"sn", d.Serial}, {"sw", d.Version}, {"cu", d.URL}} {
		put(dev, x.key, x.value)
	}
	if maker, _, ok := strings.Cut(d.Model, " Pi "); ok {
		dev["mf"] = maker + " Pi"
	}
	origin := object{"name": "pithings"}
	put(origin, "sw", d.Version)
	m := &Message{Topic: DiscoveryTopic(d.Prefix, d.ID), root: object{"dev": dev, "o": origin}, components: map[string]component{}}
	if d.Presence != nil {
		m.root["avty"], m.root["avty_mode"] = availability(d.Presence), "all"
	}
	m.add(id, d.itself())
	state, set := StateTopic(d.ID), SetTopic(d.ID)
	for i := range d.Things {
		b := builder{Thing: &d.Things[i]}
		b.build()
		b.works(state)
		b.settings(state, set)
		m.add(id, b.all)
	}
	m.shorten()
	return m
}

// availability is where Home Assistant reads whether a connection is there.
func availability(p *mqttlink.Presence) []object {
	return []object{{"t": p.Topic, "pl_avail": p.Online, "pl_not_avail": p.Offline}}
}

// itself are the components of the device itself.
func (d *Description) itself() []component {
	return []component{{what: "update", name: "Update", keys: object{"p": "update", "stat_t": StateTopic(d.ID), "l_ver_t": LatestTopic, "dev_cla": "firmware",
		"ent_cat": "diagnostic", "tit": "pithings", "val_tpl": "{{ {'installed_version': " + of("value_json", "version") + "} | to_json }}", "qos": 1}}}
}

// works makes the component that shows whether the part of the thing works.
func (b *builder) works(state string) {
	v := of("value_json", "parts", b.Name)
	b.add("problem", "problem", rankState, object{"p": "binary_sensor", "dev_cla": "problem", "ent_cat": "diagnostic", "stat_t": state,
		"val_tpl": "{{ 'None' if " + v + " is none else 'OFF' if " + v + " else 'ON' }}", "qos": 1})
}

// add gives components their ids. These and the unique ids hold for as long as the thing has
// its name.
func (m *Message) add(id string, all []component) {
	for _, c := range all {
		key := slug(strings.TrimPrefix(c.thing+"-"+c.what, "-"))
		if _, taken := m.components[key]; taken { // a-b and c, a and b-c
			key = slug(c.thing + "\x00" + c.what)
		}
		if c.keys["p"] != "device_automation" {
			c.keys["uniq_id"] = id + "_" + key
			c.keys["name"] = strings.TrimSpace(c.thing + " " + c.name)
		}
		c.place = len(m.components)
		m.components[key] = c
	}
}

// shorten leaves components out until the message is short enough: settings first, then states
// of parts and triggers, then values; of all these the last ones of the configuration first.
func (m *Message) shorten() {
	size := len(m.Payload(nil))
	if size <= MaxPayload {
		return
	}
	keys := m.keys()
	sort.Slice(keys, func(i, j int) bool {
		a, b := m.components[keys[i]], m.components[keys[j]]
		return a.rank < b.rank || a.rank == b.rank && a.place < b.place
	})
	for i := len(keys) - 1; i >= 0 && size > MaxPayload; i-- {
		c := m.components[keys[i]]
		size -= len(encode(object{keys[i]: c.keys})) - 1 // a comma, and no braces
		if !slices.Contains(m.Left, c.thing) {
			m.Left = append(m.Left, c.thing)
		}
		delete(m.components, keys[i])
	}
}

// keys are the ids of the components.
func (m *Message) keys() (keys []string) {
	for key := range m.components {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Payload encodes the message. gone are components that are removed, with their platforms.
func (m *Message) Payload(gone map[string]string) []byte {
	all := make(object, len(m.components)+len(gone))
	for key, platform := range gone {
		all[key] = object{"p": platform}
	}
	for key, c := range m.components {
		all[key] = c.keys
	}
	root := object{"cmps": all}
	for key, v := range m.root {
		root[key] = v
	}
	return []byte(encode(root))
}
