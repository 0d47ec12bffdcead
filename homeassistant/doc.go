// Package homeassistant makes a device appear in Home Assistant: one retained MQTT message
// describes it with all that its things measure and do (device discovery, Home Assistant
// 2024.11 and later).
//
//	describe (Description) → Make (Message) → Service: publish, remember, take back
//
// [Make] is a pure function. It knows no kind of thing: every component comes from the
// description of a thing (device.Model) or of a setting (conf.Field).
//
//	quantity: yes or no              binary_sensor, and a device trigger if it happens once
//	quantity: number, text           sensor
//	quantity that an action sets     switch, number, text
//	event with few values            event, and a device trigger for each
//	action without parameters        button
//	action with one text             text
//	answer with a picture            image
//	setting that is a number         number
//	whether a part works             binary_sensor
//	version of the program           update
//
// [Service] publishes the message, and a second retained one with settings and states of parts:
//
//	connected, Home Assistant says "online", something changed ─→ due ─ jitter ─→ published
//
// What is due twice before it is published is published once. A message is not published while
// the one before waits for its acknowledgement, so that the outbox never has two of them. What
// has been published is remembered in a file, so that what leaves the configuration is removed
// from Home Assistant, too.
//
// The places in the source of Home Assistant (github.com/home-assistant/core) on which this
// stands are in docs/home-assistant.md and in testdata/schema.json, which holds messages to them.
package homeassistant
