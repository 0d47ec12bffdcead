package agent

import (
	"strings"
	"testing"
	"time"

	"pithings/hw/mock"
)

// home-assistant-config#750, a hundred times as fast: high for 58 ms and low for 6 ms, for ever. /healthz shows the
// sensor as down, and as up when it is quiet again.
func TestAFreeRunningMotionSensorIsDown(t *testing.T) {
	free := mock.Motion{First: 10 * time.Millisecond, Every: 64 * time.Millisecond, Width: 58 * time.Millisecond}
	l := newLab(t, mock.Options{Motion: free}, `
things: [{name: TG_MS, type: motion, pin: GPIO17, publish: both, warm_up: 0s, debounce: 0s, hold: 200ms, stuck_after: 400ms}]
`)
	health := func() string { return string(l.get("http://" + l.agent.WebAddr() + "/healthz")) }
	l.until("it is down", func() bool {
		return strings.Contains(health(), "GPIO17 has been high, or low for less than the hold time of 200ms, for 400ms")
	})
	l.board.Pin("GPIO17").SetMotion(mock.Motion{})
	l.until("it is up", func() bool { return strings.Contains(health(), `"state": "up"`) })
}
