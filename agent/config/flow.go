package config

import (
	"pithings/conf"
)

// Flow is a flow between things.
type Flow struct {
	Name    string            `json:"name" expand:"name" change:"afar" jsonschema:"name of the flow; empty: that of the built-in one, or the one in the file"`
	Builtin string            `json:"builtin" enum:"SecurityFlow" change:"afar" jsonschema:"a flow that the program brings along"`
	File    string            `json:"file" expand:"path" file:"beside" change:"local" jsonschema:"a flow of one's own instead: a file in YAML or of Things Graph's documents, relative to this one"`
	Things  map[string]string `json:"things" expand:"name" change:"afar" jsonschema:"which thing plays which role; of a file's roles, those that it does not give or that are played by another"`
	When    string            `json:"when" default:"detected" enum:"detected,event" change:"afar" jsonschema:"of the built-in flow: detected: messages of the motion sensor that report motion start it; event: every one does, its end too, as in the cloud service"`
	Carrier string            `json:"carrier" enum:"auto,broker,local" change:"afar" jsonschema:"broker: each step is an MQTT message; local: within this process; auto: local for the things of this process; empty: broker for the built-in flow, what the file says for others"`
	Shared  string            `json:"shared" expand:"name" change:"afar" jsonschema:"group of processes that share the events, so that one of them handles each; empty: none"`
	Timeout conf.Duration     `json:"timeout" default:"30s" min:"100ms" max:"1h" change:"afar" jsonschema:"time for one step; that of a file, if it says one, holds unless it is given here"`
}

// SecurityFlow is the built-in flow motion → capture → display.
const SecurityFlow = "SecurityFlow"

// The values of Flow.When and Flow.Carrier.
const (
	WhenEvent     = "event"
	WhenDetected  = "detected"
	CarrierAuto   = "auto"
	CarrierBroker = "broker"
	CarrierLocal  = "local"
)
