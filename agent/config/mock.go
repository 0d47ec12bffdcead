package config

import (
	"pithings/conf"
	"pithings/things"
)

// Mock returns the built-in configuration of run --mock: the four things under
// the names of the Things Graph guide and the flow between them, at the
// embedded broker, without warm-up and hold. It names its parts as a Pi would.
func Mock() *Config {
	c := new(Config)
	conf.Fill(c)
	c.Broker.Listen = mockBroker

	for _, kind := range simulatedKinds() {
		t := newThing(kind.Name)
		t.Name = kind.Example
		t.Settings.Simulate()
		c.Things = append(c.Things, t)
	}
	c.MQTT.Status = true // as for any shared connection

	var flow Flow
	conf.Fill(&flow)
	flow.Builtin, flow.Name, flow.Carrier = SecurityFlow, SecurityFlow, CarrierBroker
	flow.Things = map[string]string{"motionSensor": "TG_MS", "camera": "TG_Camera", "screen": "TG_Screen"}
	c.Flows = []Flow{flow}
	return c
}

// simulatedKinds are those of which the built-in simulation has a thing.
func simulatedKinds() (kinds []*things.Kind) {
	for _, name := range []string{"motion", "environment", "camera", "screen"} {
		kinds = append(kinds, things.KindOf(name))
	}
	return kinds
}
