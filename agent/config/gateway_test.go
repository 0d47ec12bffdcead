package config

import (
	"strings"
	"testing"
)

const oneThing = "broker: {listen: 127.0.0.1:1883}\nthings: [{name: env, type: environment}]\n"

// With a gateway the queue is bounded as Device Supervisor's cache, unless the file says how.
func TestQueueOfAGateway(t *testing.T) {
	const gateway = "gateway: {variables: [{device: env}]}\n"
	for name, row := range map[string]struct {
		text        string
		max, alarms int
		drop        string
	}{
		"no gateway":          {"", -1, 0, DropNewest},
		"an empty one":        {"gateway: {params: {a: b}}\n", -1, 0, DropNewest},
		"a gateway":           {gateway, 100_000, 2_000, DropOldest},
		"limits of the file":  {gateway + "mqtt: {queue: {max: 5}}\n", 5, 0, DropNewest},
		"alarms of the file":  {gateway + "mqtt: {queue: {alarms: {max: 5}}}\n", -1, 5, DropNewest},
		"what the file drops": {gateway + "mqtt: {queue: {drop: newest}}\n", 100_000, 2_000, DropNewest},
	} {
		c, _ := parse(t, oneThing+row.text)
		if q := c.MQTT.Queue; q.Max != row.max || q.Alarms.Max != row.alarms || q.Drop != row.drop {
			t.Errorf("%s: %d, %d, %s", name, q.Max, q.Alarms.Max, q.Drop)
		}
	}
}

// A gateway alone is something to do, and its problems have their places.
func TestGatewaySection(t *testing.T) {
	parse(t, "broker: {listen: 127.0.0.1:1883}\ngateway: {functions: [{name: f, startup: true, code: 'def main(): pass'}]}\n")
	for text, want := range map[string]string{
		"gateway: {variables: [{device: env, grup: x}]}":                                        `c.yaml:3:37: variables: unknown key "grup"; did you mean "group"?`,
		"gateway: {variables: [{device: env, group: x}]}":                                       `c.yaml:3:44: variables of device "env": there is no group "x" of variables; add it to groups`,
		"gateway: {publish: [{name: p, topic: 'a/${serial_no}', groups: [default]}]}":           "c.yaml:3:38: topic a/${serial_no}: there is no global parameter serial_no",
		"gateway: {alarms: [{name: a, device: d, variable: v, condition1: Over, operand1: x}]}": "c.yaml:3:66: condition1: \"Over\" is not one of Eq, Neq, Gt, Gne, Lne, Lt",
	} {
		_, _, err := Parse("c.yaml", []byte(oneThing+text+"\n"), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
