package host

import (
	"path"
	"strconv"
	"strings"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// temperature finds the processor's thermal zone: cpu-thermal of all Pis,
// soc-thermal and the like of others, x86_pkg_temp of a PC.
func temperature(f *sysfs.Files) (group, bool) {
	best, rank := "", 0
	for _, dir := range entries(f, "sys/class/thermal") {
		if !strings.HasPrefix(path.Base(dir), "thermal_zone") {
			continue
		}
		kind, err := f.Text(path.Join(dir, "type"))
		if err != nil {
			continue
		}
		if r := processor(strings.ToLower(string(kind))); r > rank {
			best, rank = path.Join(dir, "temp"), r
		}
	}
	return group{
		file:       best,
		quantities: []device.Quantity{{Name: "cpu_temperature", Unit: "°C", Class: "temperature", Precision: 1, Min: -100, Max: 250}},
		read: func(f *sysfs.Files, v []float64) error {
			t, err := f.Number(best)
			v[0] = t / 1000 // millidegrees
			return err
		},
	}, best != ""
}

// processor ranks a thermal zone's type by how surely it is the processor's; 0 is
// another's.
func processor(kind string) int {
	switch {
	case kind == "cpu-thermal" || kind == "cpu_thermal":
		return 4
	case kind == "x86_pkg_temp":
		return 3
	case strings.Contains(kind, "cpu"):
		return 2
	case strings.Contains(kind, "soc"):
		return 1
	}
	return 0
}

// flag is a quantity that is 0 or 1.
func flag(name string) device.Quantity { return device.Quantity{Name: name, Min: 0, Max: 1} }

// underVoltage finds the Pi's own supply supervision. Its driver asks the
// firmware every two seconds and clears its memory by that, so the alarm is
// whether the supply was too low within the last seconds. A Pi Zero and the first
// Pis have no such supervision: there it is never set.
func underVoltage(f *sysfs.Files) (group, bool) {
	for _, dir := range entries(f, "sys/class/hwmon") {
		name, err := f.Text(path.Join(dir, "name"))
		if err != nil || string(name) != "rpi_volt" {
			continue
		}
		alarm := path.Join(dir, "in0_lcrit_alarm")
		return group{file: alarm, quantities: []device.Quantity{flag("under_voltage")}, read: func(f *sysfs.Files, v []float64) (err error) {
			v[0], err = f.Number(alarm)
			return err
		}}, exists(f, alarm)
	}
	return group{}, false
}

// Flags are those of the firmware's get_throttled
// (raspberrypi.com/documentation/computers/os.html, vcgencmd get_throttled). The
// higher half, "has occurred", is not used: the kernel's driver clears it.
type Flags uint32

// The flags of what is so now.
const (
	UnderVoltage     Flags = 1 << iota // the supply is below 4.63 V
	FrequencyCapped                    // the processor's frequency is limited
	Throttled                          // the processor is slowed down
	TemperatureLimit                   // the soft temperature limit is active
)

// throttled are the quantities that only the firmware knows.
func (d *Device) throttled(*sysfs.Files) (group, bool) {
	of := func(all, one Flags) float64 {
		if all&one != 0 {
			return 1
		}
		return 0
	}
	return group{
		file:       "the firmware's flags",
		quantities: []device.Quantity{flag("throttled"), flag("frequency_capped"), flag("temperature_limit")},
		read: func(_ *sysfs.Files, v []float64) error {
			all, err := d.opts.Throttled()
			v[0], v[1], v[2] = of(all, Throttled), of(all, FrequencyCapped), of(all, TemperatureLimit)
			return err
		},
	}, d.opts.Throttled != nil
}

// parseFlags reads get_throttled: hexadecimal without 0x
// (drivers/firmware/raspberrypi.c of Raspberry Pi's kernel).
func parseFlags(text []byte) (Flags, error) {
	v, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 32)
	if err != nil {
		return 0, unexpected(text)
	}
	return Flags(v), nil
}
