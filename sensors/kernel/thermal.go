package kernel

import "pithings/device"

// thermalChannels finds the temperature of a thermal zone, in millidegrees
// Celsius (driver-api/thermal/sysfs-api.rst).
func thermalChannels(f *folder) []channel {
	file := f.has("temp")
	if file == "" {
		return nil
	}
	return []channel{{
		quantity: device.Quantity{Unit: "°C", Class: "temperature", Precision: 1, Min: -100, Max: 250},
		base:     "temperature", key: "temp", value: file, factor: 1e-3,
	}}
}
