package kernel

import (
	"io/fs"
	"strings"
	"testing/fstest"
)

// tree is a folder that imitates sysfs: a line each of a path and, behind a
// space, the text of its file, or "-> TARGET" for a link. "\n" in a text is a
// new line, "\0" a NUL.
func tree(lines string) fstest.MapFS {
	root := fstest.MapFS{}
	for line := range strings.Lines(lines) {
		path, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path == "" {
			continue
		}
		if target, link := strings.CutPrefix(text, "-> "); link {
			root[path] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
			continue
		}
		text = strings.NewReplacer(`\n`, "\n", `\0`, "\x00").Replace(text)
		root[path] = &fstest.MapFile{Data: []byte(text + "\n"), Mode: 0o444}
	}
	return root
}

// Parts as a Pi shows them (Linux 6.1 to 6.12).
const (
	dht22 = `
		sys/bus/iio/devices/iio:device0 -> ../../../devices/platform/dht11@4/iio:device0
		sys/devices/platform/dht11@4/of_node -> ../../../firmware/devicetree/base/dht11@4
		sys/devices/platform/dht11@4/iio:device0/of_node -> ../../../../firmware/devicetree/base/dht11@4
		sys/devices/platform/dht11@4/iio:device0/name dht11@4
		sys/devices/platform/dht11@4/iio:device0/in_temp_input 21500
		sys/devices/platform/dht11@4/iio:device0/in_humidityrelative_input 48300
		sys/devices/platform/dht11@4/iio:device0/uevent MAJOR=0
		sys/firmware/devicetree/base/dht11@4/name dht11\0
		sys/firmware/devicetree/base/dht11@4/compatible dht11\0`

	ads1115 = `
		sys/bus/iio/devices/iio:device1 -> ../../../devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/of_node -> ../../../../../../../firmware/devicetree/base/soc/i2c@7e804000/ads1115@48
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/name ads1015
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage0_raw 17608
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage0_scale 0.187500000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage0_label Battery
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage1_raw -16
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage1_scale 0.125000000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage2_raw 0
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage2_scale 0.125000000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage0-voltage1_raw 800
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/in_voltage0-voltage1_scale 0.062500000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1/sampling_frequency_available 8 16 32
		sys/firmware/devicetree/base/soc/i2c@7e804000/ads1115@48/name ads1115\0
		sys/firmware/devicetree/base/soc/i2c@7e804000/ads1115@48/compatible ti,ads1115\0`

	ina219 = `
		sys/class/hwmon/hwmon2 -> ../../devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/name ina219
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/in0_input 18
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/in1_input 5048
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/curr1_input 180
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/power1_input 920000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/shunt_resistor 100000
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2/update_interval 136`

	lm75s = `
		sys/class/hwmon/hwmon3 -> ../../devices/platform/soc/20804000.i2c/i2c-1/1-0048/hwmon/hwmon3
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/hwmon/hwmon3/name lm75
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/hwmon/hwmon3/temp1_input 23125
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/hwmon/hwmon3/temp1_max 80000
		sys/class/hwmon/hwmon4 -> ../../devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4/name lm75
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4/temp1_input -5500`

	ds18b20 = `
		sys/bus/w1/devices/w1_bus_master1 -> ../../../devices/w1_bus_master1
		sys/devices/w1_bus_master1/w1_master_name w1_bus_master1
		sys/bus/w1/devices/28-0316a2794f5b -> ../../../devices/w1_bus_master1/28-0316a2794f5b
		sys/devices/w1_bus_master1/28-0316a2794f5b/name 28-0316a2794f5b
		sys/devices/w1_bus_master1/28-0316a2794f5b/temperature 12437
		sys/devices/w1_bus_master1/28-0316a2794f5b/w1_slave c7 00 4b 46 7f ff 09 10 5d : crc=5d YES\nc7 00 4b 46 7f ff 09 10 5d t=12437
		sys/class/hwmon/hwmon5 -> ../../devices/w1_bus_master1/28-0316a2794f5b/hwmon/hwmon5
		sys/devices/w1_bus_master1/28-0316a2794f5b/hwmon/hwmon5/name w1_slave_temp
		sys/devices/w1_bus_master1/28-0316a2794f5b/hwmon/hwmon5/temp1_input 12437`

	cpu = `
		sys/class/thermal/thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
		sys/class/thermal/cooling_device0 -> ../../devices/virtual/thermal/cooling_device0
		sys/devices/virtual/thermal/cooling_device0/type cpufreq-cpu0
		sys/devices/virtual/thermal/thermal_zone0/type cpu-thermal
		sys/devices/virtual/thermal/thermal_zone0/temp 47774
		sys/class/hwmon/hwmon0 -> ../../devices/virtual/thermal/thermal_zone0/hwmon0
		sys/devices/virtual/thermal/thermal_zone0/hwmon0/name cpu_thermal
		sys/devices/virtual/thermal/thermal_zone0/hwmon0/temp1_input 47774
		sys/class/hwmon/hwmon1 -> ../../devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1
		sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/name rpi_volt
		sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/in0_lcrit_alarm 0`

	pi = dht22 + ads1115 + ina219 + lm75s + ds18b20 + cpu
)
