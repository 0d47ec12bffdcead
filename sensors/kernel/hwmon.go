package kernel

import (
	"regexp"

	"pithings/device"
)

// hwmonTypes are what hwmon measures, in its units (hwmon/sysfs-interface.rst):
// millidegree Celsius, millivolt, milliampere, microwatt, microjoule,
// milli-percent, revolutions a minute.
var hwmonTypes = map[string]struct {
	quantity device.Quantity
	factor   float64
	slack    float64
}{
	"temp":     {device.Quantity{Name: "temperature", Unit: "°C", Class: "temperature", Precision: 2, Min: coldest, Max: hottest}, 1e-3, 0},
	"in":       {device.Quantity{Name: "voltage", Unit: "V", Class: "voltage", Precision: 3, Min: -1e5, Max: 1e5}, 1e-3, 0},
	"curr":     {device.Quantity{Name: "current", Unit: "A", Class: "current", Precision: 3, Min: -1e5, Max: 1e5}, 1e-3, 0},
	"power":    {device.Quantity{Name: "power", Unit: "W", Class: "power", Precision: 3, Min: -1e7, Max: 1e7}, 1e-6, 0},
	"energy":   {device.Quantity{Name: "energy", Unit: "J", Class: "energy", Precision: 3}, 1e-6, 0},
	"humidity": {device.Quantity{Name: "humidity", Unit: "%", Class: "humidity", Precision: 2, Min: 0, Max: 100}, 1e-3, humiditySlack},
	"fan":      {device.Quantity{Name: "fan", Unit: "rpm", Precision: 0, Min: 0, Max: 1e6}, 1, 0},
}

const (
	coldest = -273.15 // °C
	hottest = 2500.0  // °C: the hottest thermocouple, type C, measures 2315 °C
	// A humid sensor reads beyond 0 to 100 % by its tolerance, which is to be cut
	// off (Si7021 datasheet, §5.1.1); far beyond it is broken.
	humiditySlack = 20.0
)

// hwmonFile is a file with a value. A chip that only knows an average of its
// power shows that.
var hwmonFile = regexp.MustCompile(`^(in|temp|curr|power|energy|humidity|fan)([0-9]{1,4})_(input|average)$`)

// hwmonChannels finds the channels of a chip.
func hwmonChannels(f *folder) []channel {
	var list []channel
	for _, file := range f.list {
		m := hwmonFile.FindStringSubmatch(file)
		if m == nil {
			continue
		}
		key := m[1] + m[2]
		if m[3] == "average" && (m[1] != "power" || f.names[key+"_input"]) || f.text(key+"_enable") == "0" {
			continue
		}
		t := hwmonTypes[m[1]]
		list = append(list, channel{
			quantity: t.quantity, base: t.quantity.Name, number: m[2], label: f.text(key + "_label"), key: key,
			value: f.has(file), factor: t.factor, fault: f.has(key + "_fault"), slack: t.slack,
		})
	}
	return list
}
