package agent

import (
	"testing"

	"pithings/hw/mock"
)

// TestStatusOfTheAgent: the shared connection reports whether it is there.
func TestStatusOfTheAgent(t *testing.T) {
	for name, tc := range map[string]struct{ mqtt, topic, want string }{
		"by default": {"client_id: pi", "pi/status", "online"},
		"own words":  {`client_id: pi, birth: {topic: hall/pi, payload: "1", retain: true}`, "hall/pi", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, mock.Options{}, "mqtt: {"+tc.mqtt+"}\nthings: [{name: a, type: motion, pin: GPIO17}]\n")
			if got := l.message(tc.topic); got != tc.want {
				t.Errorf("%s: %q", tc.topic, got)
			}
		})
	}
}
