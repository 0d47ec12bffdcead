package agent

import (
	"errors"
	"math"
	"net/http"
	"testing"

	"pithings/spool/control"
)

// A reading of a sensor that an agent has is taken by the agent: two programs on one
// BME680 spoil each other's readings (domoticz#1410).
func TestReadingThroughTheAgent(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	c := control.NewClient(a.folder.Socket())
	defer c.Close()
	for _, bus := range []string{"1", "/dev/i2c-1"} {
		r, sensor, err := AskReading(t.Context(), c, bus, 0)
		if err != nil || sensor == "" || r.Time.IsZero() || math.IsNaN(r.Temperature) || math.IsNaN(r.Humidity) || math.IsNaN(r.Pressure) {
			t.Errorf("bus %s: %+v of %q, %v", bus, r, sensor, err)
		}
	}
	var answer *control.AnswerError
	if _, _, err := AskReading(t.Context(), c, "3", 0); !errors.As(err, &answer) || answer.Status != http.StatusNotFound {
		t.Errorf("another bus: %v", err)
	}
}
