// Package makers describes devices that people buy or flash, by the firmware that
// speaks for them: a flow names the model of a thing (model: tasmota) and needs to
// describe no topics. The topics and payloads are those of each firmware as it
// comes; who has changed them describes the thing in the flow's file.
//
// A command is done when it is published: of these firmwares none says in its
// answer which command it is for. What the thing then does is an event, State.
package makers

import (
	"strings"

	"pithings/device"
)

// Models returns the models, which are read only.
func Models() []device.Model {
	return []device.Model{tasmota(), esphome(), esphomeLight(), shelly(), shellyGen1(), zigbee2MQTT()}
}

// Types of values, in short.
const (
	text    = device.StringType
	number  = device.NumberType
	integer = device.IntegerType
)

type (
	events  = map[string]device.EventModel
	actions = map[string]device.ActionModel
	types   = map[string]device.ValueType
	object  = map[string]any
)

// Console reports whether an action of a maker's model takes whatever its device's console does:
// other settings and firmware, too.
func Console(model, action string) bool {
	return strings.EqualFold(model, "tasmota") && strings.EqualFold(action, "command") ||
		strings.EqualFold(model, "shelly") && strings.EqualFold(action, "rpc")
}

// bare is an event whose message is one value, under the key "value".
func bare(topic string, kind device.ValueType) device.EventModel {
	return device.EventModel{Topic: topic, Payload: device.Payload{Bare: kind}}
}

// switched are the actions of what takes its state as one word.
func switched(topic, on, off, toggle string) actions {
	return actions{
		"on":     {Topic: topic, Request: on},
		"off":    {Topic: topic, Request: off},
		"toggle": {Topic: topic, Request: toggle},
		"set":    {Topic: topic, Params: types{"state": text}, Request: "${state}"},
	}
}

// stated are the actions of what takes its state as the key "state" of an object.
func stated(topic string) actions {
	return actions{
		"on":         {Topic: topic, Request: object{"state": "ON"}},
		"off":        {Topic: topic, Request: object{"state": "OFF"}},
		"toggle":     {Topic: topic, Request: object{"state": "TOGGLE"}},
		"set":        {Topic: topic, Params: types{"state": text}, Request: object{"state": "${state}"}},
		"brightness": {Topic: topic, Params: types{"value": integer}, Request: object{"state": "ON", "brightness": "${value}"}},
	}
}

// tasmota: the thing is the device's Topic, with the FullTopic %prefix%/%topic%/ of
// the firmware (https://tasmota.github.io/docs/MQTT/). Several relays have the
// commands Power1, Power2 …, which command takes, as all of
// https://tasmota.github.io/docs/Commands/.
func tasmota() device.Model {
	m := device.Model{ID: "tasmota", Actions: switched("cmnd/{thing}/POWER", "ON", "OFF", "TOGGLE"), Events: events{
		"State":        bare("stat/{thing}/POWER", text),
		"Result":       {Topic: "stat/{thing}/RESULT"},
		"Sensor":       {Topic: "tele/{thing}/SENSOR"},
		"Telemetry":    {Topic: "tele/{thing}/STATE"},
		"Availability": bare("tele/{thing}/LWT", text), // Online, Offline
	}}
	m.Actions["dimmer"] = device.ActionModel{Topic: "cmnd/{thing}/Dimmer", Params: types{"value": integer}, Request: "${value}"} // 0 to 100
	m.Actions["command"] = device.ActionModel{Topic: "cmnd/{thing}/Backlog0", Params: types{"command": text}, Request: "${command}"}
	return m
}

// esphome: the thing is NODE/COMPONENT/NAME, such as kitchen/switch/relay or
// kitchen/sensor/temperature, of which the firmware makes its topics
// (https://esphome.io/components/mqtt.html, topic_prefix, state_topic,
// command_topic).
func esphome() device.Model {
	return device.Model{ID: "esphome", Actions: switched("{thing}/command", "ON", "OFF", "TOGGLE"), Events: events{
		"State": bare("{thing}/state", device.AnyType),
	}}
}

// esphomeLight: the lights of ESPHome speak JSON
// (https://esphome.io/components/light/, MQTT JSON schema); brightness is 0 to 255.
func esphomeLight() device.Model {
	return device.Model{ID: "esphome-light", Actions: stated("{thing}/command"), Events: events{
		"State": {Topic: "{thing}/state"},
	}}
}

// shelly: the second and later generations, of which "MQTT Control" and "Generic
// status update over MQTT" have to be switched on; the thing is the MQTT prefix,
// which is the device's id (https://shelly-api-docs.shelly.cloud/gen2/, Switch and
// MQTT).
func shelly() device.Model {
	m := device.Model{ID: "shelly", Actions: switched("{thing}/command/switch:0", "on", "off", "toggle"), Events: events{
		"State":        {Topic: "{thing}/status/switch:0"}, // output, apower, …
		"Input":        {Topic: "{thing}/status/input:0"},
		"Notification": {Topic: "{thing}/events/rpc"},
		"Availability": bare("{thing}/online", device.BooleanType),
	}}
	m.Actions["rpc"] = device.ActionModel{Topic: "{thing}/rpc", Params: types{"method": text, "params": device.ObjectType},
		Request: object{"id": 1, "src": "pithings", "method": "${method}", "params": "${params}"}}
	return m
}

// shellyGen1: the first generation; the thing is the device's id
// (https://shelly-api-docs.shelly.cloud/gen1/#shelly1-shelly1pm-mqtt).
func shellyGen1() device.Model {
	return device.Model{ID: "shelly-gen1", Actions: switched("shellies/{thing}/relay/0/command", "on", "off", "toggle"), Events: events{
		"State":        bare("shellies/{thing}/relay/0", text),
		"Power":        bare("shellies/{thing}/relay/0/power", number), // in watts
		"Input":        bare("shellies/{thing}/input/0", integer),
		"Availability": bare("shellies/{thing}/online", device.BooleanType),
	}}
}

// zigbee2MQTT: the thing is the device's or the group's friendly name, under the
// base topic zigbee2mqtt
// (https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html).
func zigbee2MQTT() device.Model {
	m := device.Model{ID: "zigbee2mqtt", Actions: stated("zigbee2mqtt/{thing}/set"), Events: events{
		"State":        {Topic: "zigbee2mqtt/{thing}"},
		"Availability": {Topic: "zigbee2mqtt/{thing}/availability", Payload: device.Payload{Keys: types{"state": text}}},
	}}
	m.Actions["position"] = device.ActionModel{Topic: "zigbee2mqtt/{thing}/set", Params: types{"value": integer}, Request: object{"position": "${value}"}} // of a cover, 0 to 100
	return m
}
