package agent

import (
	"strings"
	"testing"

	"pithings/hw/mock"
)

// Reports have the last values of things, and /healthz shows how many there were.
func TestDefender(t *testing.T) {
	l := newLab(t, mock.Options{}, twoThings+"awsiot: {defender: {enabled: true, custom: [{metric: room, thing: bme680, quantity: temperature}]}}\n")
	l.until("a reading", func() bool {
		v, q, ok := l.agent.things.value("bme680", "temperature")
		return ok && q.Unit == "°C" && v > -40 && v < 85
	})
	for _, x := range [][2]string{{"bme680", "speed"}, {"TG_MS", "temperature"}, {"nothing", "temperature"}} {
		if _, _, ok := l.agent.things.value(x[0], x[1]); ok {
			t.Errorf("there is a value of %s %s", x[0], x[1])
		}
	}
	if health := l.get("http://" + l.agent.WebAddr() + "/healthz"); !strings.Contains(string(health), `"defender"`) {
		t.Errorf("/healthz has no reports: %s", health)
	}
}
