package agent

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"pithings/api"
	"pithings/device"
)

// Collect implements Collector.
func (s *thingService) Collect(m *api.Metrics) {
	states := s.health.Things()
	m.Family("pithings_device_up", "gauge", "Whether the part of a thing works.")
	for _, name := range slices.Sorted(maps.Keys(states)) {
		m.Sample(api.Bool(states[name].State == "up"), "thing", name)
	}
	m.Family("pithings_thing_events_total", "counter", "Events of a thing, such as motion that begins or ends, or a reading.")
	for _, name := range slices.Sorted(maps.Keys(states)) {
		counts := s.latest.counts(name)
		for _, event := range slices.Sorted(maps.Keys(counts)) {
			m.Sample(float64(counts[event]), "thing", name, "event", event)
		}
	}
	s.collectReadings(m, states)
}

// baseUnit is a unit in Prometheus' manner: base units, which are a part of the metric's name
// (prometheus.io/docs/practices/naming).
type baseUnit struct {
	suffix string
	word   string // in the help
	factor float64
}

// baseUnits are those of the units of quantities.
var baseUnits = map[string]baseUnit{
	"°C": {"celsius", "degrees Celsius", 1}, "K": {"kelvin", "kelvin", 1},
	"%": {"ratio", "a part of 1", 0.01}, "ppm": {"ratio", "a part of 1", 1e-6},
	"Pa": {"pascals", "pascals", 1}, "hPa": {"pascals", "pascals", 100}, "mbar": {"pascals", "pascals", 100}, "bar": {"pascals", "pascals", 1e5},
	"Ω": {"ohms", "ohms", 1}, "kΩ": {"ohms", "ohms", 1000},
	"V": {"volts", "volts", 1}, "mV": {"volts", "volts", 0.001}, "A": {"amperes", "amperes", 1}, "mA": {"amperes", "amperes", 0.001},
	"W": {"watts", "watts", 1}, "kW": {"watts", "watts", 1000}, "Wh": {"joules", "joules", 3600}, "kWh": {"joules", "joules", 3.6e6},
	"Hz": {"hertz", "hertz", 1}, "lx": {"lux", "lux", 1}, "B": {"bytes", "bytes", 1},
	"s": {"seconds", "seconds", 1}, "ms": {"seconds", "seconds", 0.001}, "min": {"seconds", "seconds", 60}, "h": {"seconds", "seconds", 3600},
	"m": {"meters", "meters", 1}, "cm": {"meters", "meters", 0.01}, "mm": {"meters", "meters", 0.001}, "g": {"grams", "grams", 1}, "kg": {"grams", "grams", 1000},
}

// sample is a reading as a family of metrics has it.
type sample struct {
	family, help string
	value        float64
	labels       []string
}

// collectReadings shows what the things measure. A thing whose part does not work has no
// readings: the last ones would look as if they were of now.
func (s *thingService) collectReadings(m *api.Metrics, states map[string]ThingState) {
	var all []sample
	s.mu.RLock()
	for _, p := range s.parts {
		if states[p.Name()].State != "up" {
			continue
		}
		latest := s.latest.of(p.Name())
		for _, q := range p.quantities() {
			if v, ok := latest[q.Event].Values[q.Key]; ok {
				if one, ok := sampleOf(p.Name(), &q, v); ok {
					all = append(all, one)
				}
			}
		}
	}
	s.mu.RUnlock()
	slices.SortStableFunc(all, func(a, b sample) int { return cmp.Compare(a.family, b.family) })
	for i, one := range all {
		if i == 0 || one.family != all[i-1].family {
			m.Family(one.family, "gauge", one.help)
		}
		m.Sample(one.value, one.labels...)
	}
}

// sampleOf puts a value into a family: that of its class and unit, pithings_temperature_celsius; of
// its unit, pithings_measured_volts; or, in a unit of its own, pithings_measured. What is on
// or off is pithings_on.
func sampleOf(thing string, q *device.Quantity, v any) (sample, bool) {
	labels := []string{"thing", thing, "quantity", q.Name}
	if on, ok := v.(bool); ok {
		return sample{"pithings_on", "Whether what a thing reports as on or off, such as motion, a contact or an output, is on.", api.Bool(on), labels}, true
	}
	n, ok := number(v)
	if !ok {
		return sample{}, false // not measured, or a text
	}
	u, known := baseUnits[q.Unit]
	if !known {
		return sample{"pithings_measured", "Last value that a thing has measured, in the unit of the label.", n, append(labels, "unit", q.Unit)}, true
	}
	what := strings.TrimPrefix(q.Class, "atmospheric_")
	if !slices.Contains(metricClasses, what) {
		return sample{"pithings_measured_" + u.suffix, "Last value that a thing has measured, in " + u.word + ".", n * u.factor, labels}, true
	}
	return sample{"pithings_" + what + "_" + u.suffix, "Last value of a " + strings.ReplaceAll(what, "_", " ") + " that a thing has measured, in " + u.word + ".", n * u.factor, labels}, true
}

// metricClasses are the classes that are a part of a metric's name; a closed list, so that no
// class of a configuration makes the name of another metric.
var metricClasses = []string{"temperature", "humidity", "pressure", "voltage", "current", "power", "apparent_power", "energy", "frequency",
	"illuminance", "distance", "duration", "data_size", "weight", "moisture", "battery", "signal_strength", "carbon_dioxide"}

// number is a value as a number.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}
