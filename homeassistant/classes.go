package homeassistant

import "slices"

// Device classes of Home Assistant. It refuses a component with one that it does not know, so
// that another one, such as a maker may write for a register, is left out.

// Of binary_sensor: BinarySensorDeviceClass in homeassistant/components/binary_sensor/__init__.py.
var binaryClasses = []string{"battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
	"light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem", "running", "safety",
	"smoke", "sound", "tamper", "update", "vibration", "window"}

// Of switch: SwitchDeviceClass in homeassistant/components/switch/__init__.py.
var switchClasses = []string{"outlet", "switch"}

// units are the device classes of sensor and number with the units that they may have:
// SensorDeviceClass and DEVICE_CLASS_UNITS in homeassistant/components/sensor/const.py, as far
// as they are numbers.
var units = map[string][]string{
	"apparent_power":                   {"mVA", "VA", "kVA"},
	"aqi":                              {""},
	"atmospheric_pressure":             pressures,
	"battery":                          {"%"},
	"carbon_dioxide":                   {"ppm"},
	"carbon_monoxide":                  {"ppm"},
	"conductivity":                     {"S/cm", "mS/cm", "µS/cm"},
	"current":                          {"A", "mA"},
	"data_rate":                        {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s"},
	"data_size":                        {"bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"},
	"distance":                         {"mm", "cm", "m", "km", "in", "ft", "yd", "mi"},
	"duration":                         {"ms", "s", "min", "h", "d"},
	"energy":                           energies,
	"energy_storage":                   energies,
	"frequency":                        {"Hz", "kHz", "MHz", "GHz"},
	"gas":                              {"m³", "ft³", "CCF", "L"},
	"humidity":                         {"%"},
	"illuminance":                      {"lx"},
	"irradiance":                       {"W/m²", "BTU/(h⋅ft²)"},
	"moisture":                         {"%"},
	"ph":                               {""},
	"pm1":                              {"µg/m³"},
	"pm10":                             {"µg/m³"},
	"pm25":                             {"µg/m³"},
	"power":                            {"mW", "W", "kW", "MW", "GW", "TW"},
	"power_factor":                     {"%", ""},
	"precipitation":                    {"mm", "cm", "in"},
	"precipitation_intensity":          {"mm/h", "mm/d", "in/h", "in/d"},
	"pressure":                         pressures,
	"reactive_power":                   {"var", "kvar"},
	"signal_strength":                  {"dB", "dBm"},
	"sound_pressure":                   {"dB", "dBA"},
	"speed":                            {"m/s", "km/h", "mm/s", "kn", "mph", "ft/s"},
	"temperature":                      {"°C", "°F", "K"},
	"volatile_organic_compounds":       {"µg/m³"},
	"volatile_organic_compounds_parts": {"ppm", "ppb"},
	"voltage":                          {"V", "mV", "µV", "kV"},
	"volume":                           {"L", "mL", "m³", "ft³", "gal"},
	"volume_flow_rate":                 {"m³/h", "L/min", "L/h", "L/s", "ft³/min", "gal/min"},
	"volume_storage":                   {"L", "mL", "m³", "ft³", "gal"},
	"water":                            {"m³", "L", "ft³", "CCF", "gal"},
	"weight":                           {"kg", "g", "mg", "µg", "oz", "lb", "st"},
	"wind_speed":                       {"m/s", "km/h", "kn", "mph", "ft/s", "Beaufort"},
}

var (
	pressures = []string{"Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi", "mPa", "MPa"}
	energies  = []string{"Wh", "kWh", "MWh", "GWh", "TWh", "J", "kJ", "MJ", "GJ", "cal", "kcal", "Mcal", "Gcal"}
)

// counting are the device classes of what only adds up: DEVICE_CLASS_STATE_CLASSES in the same
// file allows them no "measurement".
var counting = map[string]string{"energy": totalIncreasing, "gas": totalIncreasing, "water": totalIncreasing, "volume": "total", "precipitation": "total"}

const totalIncreasing = "total_increasing"

// numberClass returns the device class of a number with a unit; "" if it has none.
func numberClass(class, unit string) string {
	if slices.Contains(units[class], unit) {
		return class
	}
	return ""
}

// among returns class if it is one of all.
func among(all []string, class string) string {
	if slices.Contains(all, class) {
		return class
	}
	return ""
}

// presses are the types of device triggers that Home Assistant's page has words for.
var presses = map[string]string{"pressed": "button_short_press", "released": "button_short_release", "long_press": "button_long_press", "double_press": "button_double_press"}
