package config

import (
	"pithings/gateway/rule"
)

// The limits of the queue when there is a gateway and the configuration does not give others:
// those of Device Supervisor (its manual: catch_recording and warning_recording).
const (
	gatewayReadings = 100_000
	gatewayAlarms   = 2_000
)

// gateway checks the gateway, and bounds the queue of its messages as Device Supervisor does.
func (d *checker) gateway(c *Config) {
	g := &c.Gateway
	if d.Problems.Count() > 0 {
		return // what seems to be missing may just have been misspelt
	}
	// What the machine is called does not count here.
	g.Check(func(path, format string, args ...any) { d.Bad("gateway."+path, format, args...) }, &rule.Params{Serial: "serial", MAC: "mac", Custom: g.Params})
	if !g.Used() {
		return
	}
	if q := &c.MQTT.Queue; !d.Given("mqtt.queue.max") && !d.Given("mqtt.queue.alarms.max") {
		q.Max, q.Alarms.Max = gatewayReadings, gatewayAlarms
		if !d.Given("mqtt.queue.drop") {
			q.Drop = DropOldest
		}
	}
}
