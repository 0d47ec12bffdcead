// Package flow runs flows: an event of one thing starts a sequence of steps on
// others, as AWS IoT Things Graph did while it lived.
//
// The engine sees devices with events and actions. What carries them, MQTT
// topics or a call within the process, is the business of the [Device] that it
// is given.
package flow
