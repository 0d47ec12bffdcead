package kernel

import (
	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// iioType is what a type of channel measures, and the factor from the unit of
// the ABI document to ours.
type iioType struct {
	quantity device.Quantity
	factor   float64
	slack    float64
}

// iioTypes are the types of ABI/testing/sysfs-bus-iio that are readings. The
// units there: millivolt, milliampere, milliwatt, millidegree Celsius,
// milli-percent, kilopascal, lux, metre, gauss, percent of a concentration.
var iioTypes = map[string]iioType{
	"temp":                   {device.Quantity{Name: "temperature", Unit: "°C", Class: "temperature", Precision: 2, Min: coldest, Max: hottest}, 1e-3, 0},
	"humidityrelative":       {device.Quantity{Name: "humidity", Unit: "%", Class: "humidity", Precision: 2, Min: 0, Max: 100}, 1e-3, humiditySlack},
	"pressure":               {device.Quantity{Name: "pressure", Unit: "hPa", Class: "pressure", Precision: 2, Min: -1e6, Max: 1e7}, 10, 0},
	"illuminance":            {device.Quantity{Name: "illuminance", Unit: "lx", Class: "illuminance", Precision: 2, Min: 0, Max: 1e6}, 1, 0},
	"voltage":                {device.Quantity{Name: "voltage", Unit: "V", Class: "voltage", Precision: 4, Min: -1e5, Max: 1e5}, 1e-3, 0},
	"current":                {device.Quantity{Name: "current", Unit: "A", Class: "current", Precision: 4, Min: -1e5, Max: 1e5}, 1e-3, 0},
	"power":                  {device.Quantity{Name: "power", Unit: "W", Class: "power", Precision: 3, Min: -1e7, Max: 1e7}, 1e-3, 0},
	"energy":                 {device.Quantity{Name: "energy", Unit: "J", Class: "energy", Precision: 3}, 1, 0},
	"distance":               {device.Quantity{Name: "distance", Unit: "m", Class: "distance", Precision: 3, Min: 0, Max: 1e5}, 1, 0},
	"proximity":              {device.Quantity{Name: "proximity", Unit: "m", Class: "distance", Precision: 3}, 1, 0},
	"intensity":              {device.Quantity{Name: "intensity", Precision: 0}, 1, 0},
	"uvindex":                {device.Quantity{Name: "uv_index", Precision: 1, Min: 0, Max: 100}, 1, 0},
	"colortemp":              {device.Quantity{Name: "color_temperature", Unit: "K", Precision: 0, Min: 0, Max: 1e5}, 1, 0},
	"accel":                  {device.Quantity{Name: "acceleration", Unit: "m/s²", Precision: 3}, 1, 0},
	"gravity":                {device.Quantity{Name: "gravity", Unit: "m/s²", Precision: 3}, 1, 0},
	"anglvel":                {device.Quantity{Name: "angular_velocity", Unit: "rad/s", Precision: 4}, 1, 0},
	"angl":                   {device.Quantity{Name: "angle", Unit: "rad", Precision: 4}, 1, 0},
	"incli":                  {device.Quantity{Name: "inclination", Unit: "°", Precision: 2}, 1, 0},
	"rot":                    {device.Quantity{Name: "rotation", Unit: "°", Precision: 2}, 1, 0},
	"magn":                   {device.Quantity{Name: "magnetic_field", Unit: "µT", Precision: 2}, 100, 0},
	"resistance":             {device.Quantity{Name: "resistance", Unit: "Ω", Precision: 1}, 1, 0},
	"capacitance":            {device.Quantity{Name: "capacitance", Unit: "nF", Precision: 4}, 1, 0},
	"electricalconductivity": {device.Quantity{Name: "conductivity", Unit: "S/m", Precision: 4}, 1, 0},
	"ph":                     {device.Quantity{Name: "ph", Class: "ph", Precision: 2, Min: 0, Max: 14}, 1, 0},
	"concentration":          {device.Quantity{Name: "concentration", Unit: "%", Precision: 4, Min: 0, Max: 100}, 1, 0},
	"massconcentration":      {device.Quantity{Name: "mass_concentration", Unit: "µg/m³", Precision: 1, Min: 0, Max: 1e6}, 1, 0},
	"count":                  {device.Quantity{Name: "count", Precision: 0}, 1, 0},
	"steps":                  {device.Quantity{Name: "steps", Precision: 0}, 1, 0},
	"velocity":               {device.Quantity{Name: "velocity", Unit: "m/s", Class: "speed", Precision: 2}, 1, 0},
}

// iioModified are the types whose modifier makes another quantity of them.
var iioModified = map[string]iioType{
	"concentration_co2":       {device.Quantity{Name: "co2", Unit: "ppm", Class: "carbon_dioxide", Precision: 0, Min: 0, Max: 1e6}, 1e4, 0},
	"concentration_voc":       {device.Quantity{Name: "voc", Unit: "ppm", Class: "volatile_organic_compounds_parts", Precision: 3, Min: 0, Max: 1e6}, 1e4, 0},
	"massconcentration_pm1":   {device.Quantity{Name: "pm1", Unit: "µg/m³", Class: "pm1", Precision: 1, Min: 0, Max: 1e6}, 1, 0},
	"massconcentration_pm2p5": {device.Quantity{Name: "pm25", Unit: "µg/m³", Class: "pm25", Precision: 1, Min: 0, Max: 1e6}, 1, 0},
	"massconcentration_pm4":   {device.Quantity{Name: "pm4", Unit: "µg/m³", Precision: 1, Min: 0, Max: 1e6}, 1, 0},
	"massconcentration_pm10":  {device.Quantity{Name: "pm10", Unit: "µg/m³", Class: "pm10", Precision: 1, Min: 0, Max: 1e6}, 1, 0},
}

// lookUp finds what a channel measures. A modifier becomes part of the name.
func lookUp(kind, modifier string) (iioType, bool) {
	if t, known := iioModified[kind+"_"+modifier]; known && modifier != "" {
		return t, true
	}
	t, known := iioTypes[kind]
	if known && modifier != "" {
		if m := sysfs.Name(modifier); m != "" { // of signs only
			t.quantity.Name += "_" + m
		}
	}
	return t, known
}
