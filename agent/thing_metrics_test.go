package agent

import (
	"testing"
	"time"

	"pithings/api"
	"pithings/device"
)

// Values are in base units, and no class of a configuration makes another metric's name.
func TestReadingsAsMetrics(t *testing.T) {
	for _, c := range []struct {
		q    device.Quantity
		v    any
		want string
	}{
		{device.Quantity{Name: "temperature", Unit: "°C", Class: "temperature"}, -3.5, `pithings_temperature_celsius{thing="x",quantity="temperature"} -3.5`},
		{device.Quantity{Name: "humidity", Unit: "%", Class: "humidity"}, 50, `pithings_humidity_ratio{thing="x",quantity="humidity"} 0.5`},
		{device.Quantity{Name: "pressure", Unit: "hPa", Class: "atmospheric_pressure"}, 1000.0, `pithings_pressure_pascals{thing="x",quantity="pressure"} 100000`},
		{device.Quantity{Name: "gas", Unit: "Ω"}, 12e3, `pithings_measured_ohms{thing="x",quantity="gas"} 12000`},
		{device.Quantity{Name: "speed", Unit: "rpm"}, int64(7), `pithings_measured{thing="x",quantity="speed",unit="rpm"} 7`},
		{device.Quantity{Name: "age", Unit: "s", Class: "queue_oldest_age"}, 7.0, `pithings_measured_seconds{thing="x",quantity="age"} 7`},
		{device.Quantity{Name: "motion", Class: "motion"}, true, `pithings_on{thing="x",quantity="motion"} 1`},
		{device.Quantity{Name: "none"}, nil, ""},
		{device.Quantity{Name: "text"}, "high", ""},
	} {
		var m api.Metrics
		if s, ok := sampleOf("x", &c.q, c.v); ok {
			m.Family(s.family, "gauge", s.help)
			m.Reset()
			m.Sample(s.value, s.labels...)
		}
		if c.want != "" {
			c.want += "\n"
		}
		if m.String() != c.want {
			t.Errorf("%+v of %v: %q, want %q", c.q, c.v, m.String(), c.want)
		}
	}
}

// Events are counted until the thing is forgotten.
func TestEventsAreCounted(t *testing.T) {
	var l latest
	bus := &device.Bus{}
	l.follow(bus)
	defer l.end()
	for range 3 {
		bus.Emit(device.Event{Thing: "x", Name: "motion", Values: device.Values{}, At: time.Now()})
	}
	if n := l.counts("x")["motion"]; n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	l.forget("x")
	if n := len(l.counts("x")); n != 0 {
		t.Errorf("%d events of a thing that is forgotten", n)
	}
}
