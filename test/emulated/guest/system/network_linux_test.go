package system

import (
	"os"
	"testing"
)

// A broker on another computer, here the one that emulates this, gets what the
// parts say, and its clients' commands reach the parts.
func TestBrokerOverTheNetwork(t *testing.T) {
	broker := os.Getenv("PITHINGS_TEST_BROKER")
	if broker == "" {
		t.Skip("skipped: this machine has no network")
	}
	setLine(t, false)
	a := start(t, how{broker: broker, tty: "/dev/tty1"}, "things:\n"+motion+camera+display+weather+flow)
	a.waitLog("part works\" thing=TG_MS")
	a.motionShowsPicture()
	payload, _ := a.wait(0, "bme680/state", success)
	agrees(t, payload)
	a.capture("TG_Camera")
	setLine(t, false)
	a.end()
}
