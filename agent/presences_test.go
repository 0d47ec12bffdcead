package agent

import (
	"strings"
	"testing"

	"pithings/hw/mock"
)

// What AWS IoT says of the own connection, and tunnels that it opens, arrive and are shown.
func TestPresencesAndRefusals(t *testing.T) {
	l := newLab(t, mock.Options{}, twoThings+"mqtt: {client_id: hall}\nawsiot: {presence: {enabled: true}, refuse: {enabled: true}}\n")
	healthz := func() string { return string(l.get("http://" + l.agent.WebAddr() + "/healthz")) }
	l.until("both are shown", func() bool { // with each attempt more: what is sent before the subscription is lost
		l.publish("$aws/events/presence/disconnected/hall", `{"clientId":"hall","timestamp":1573002340451,"eventType":"disconnected","disconnectReason":"FORBIDDEN_ACCESS","versionNumber":0}`)
		l.publish("$aws/things/hall/tunnels/notify", `{"clientAccessToken":"hush","clientMode":"destination","region":"eu-west-1","services":["SSH"]}`)
		h := healthz()
		return strings.Contains(h, "FORBIDDEN_ACCESS") && !strings.Contains(h, `"tunnels":0`) && strings.Contains(h, `"tunnels"`)
	})
	if log := l.log.String(); !strings.Contains(log, "tunnel refused") || strings.Contains(log, "hush") {
		t.Errorf("the log has no refusal, or the token:\n%s", log)
	}
}
