package host

import (
	"io/fs"
	"strings"
	"testing/fstest"
)

// tree is a folder that imitates /sys and /proc: a line each of a path and,
// behind a space, the text of its file, or "-> TARGET" for a link.
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
		root[path] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, `\n`, "\n") + "\n"), Mode: 0o444}
	}
	return root
}

// What Raspberry Pi OS 12 shows (Linux 6.6 and 6.12), in the shape of the files.
const (
	proc = `
		proc/loadavg 0.52 0.31 0.18 1/142 2317
		proc/uptime 354126.93 1402212.40
		proc/meminfo MemTotal:         442292 kB\nMemFree:           81236 kB\nMemAvailable:     268004 kB\nBuffers:           23908 kB\nSwapTotal:        102396 kB\nHugePages_Total:       0`

	wireless = `
		proc/net/wireless Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n wlan0: 0000   55.  -55.  -256        0      0      0      0      0        0`

	zone = `
		sys/class/thermal/thermal_zone0 -> ../../devices/virtual/thermal/thermal_zone0
		sys/class/thermal/cooling_device0 -> ../../devices/virtual/thermal/cooling_device0
		sys/devices/virtual/thermal/cooling_device0/type cpufreq-cpu0
		sys/devices/virtual/thermal/thermal_zone0/type cpu-thermal
		sys/devices/virtual/thermal/thermal_zone0/temp 47774
		sys/class/hwmon/hwmon0 -> ../../devices/virtual/thermal/thermal_zone0/hwmon0
		sys/devices/virtual/thermal/thermal_zone0/hwmon0/name cpu_thermal
		sys/devices/virtual/thermal/thermal_zone0/hwmon0/temp1_input 47774`

	supply = `
		sys/class/hwmon/hwmon1 -> ../../devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1
		sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/name rpi_volt
		sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/hwmon/hwmon1/in0_lcrit_alarm 1
		sys/devices/platform/soc/soc:firmware/get_throttled 50005`

	zeroW = proc + wireless + zone + supply
	three = zeroW                  // the same files; a 3B+ names them alike
	four  = proc + zone + supply + // a Pi 4 on a cable: the file is there, its table empty
		`
		proc/net/wireless Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22`
	// A Pi 5: the firmware's node is below soc@107c000000, and there are a fan and RP1's own sensor.
	five = proc + zone + `
		sys/class/hwmon/hwmon1 -> ../../devices/platform/axi/1000120000.pcie/1f00000000.rp1/1f000c8000.adc/hwmon/hwmon1
		sys/devices/platform/axi/1000120000.pcie/1f00000000.rp1/1f000c8000.adc/hwmon/hwmon1/name rp1_adc
		sys/devices/platform/axi/1000120000.pcie/1f00000000.rp1/1f000c8000.adc/hwmon/hwmon1/in1_input 1480
		sys/devices/platform/axi/1000120000.pcie/1f00000000.rp1/1f000c8000.adc/hwmon/hwmon1/temp1_input 51200
		sys/class/hwmon/hwmon2 -> ../../devices/platform/cooling_fan/hwmon/hwmon2
		sys/devices/platform/cooling_fan/hwmon/hwmon2/name pwmfan
		sys/devices/platform/cooling_fan/hwmon/hwmon2/fan1_input 0
		sys/devices/platform/cooling_fan/hwmon/hwmon2/pwm1 0
		sys/class/hwmon/hwmon3 -> ../../devices/platform/soc@107c000000/soc@107c000000:firmware/raspberrypi-hwmon/hwmon/hwmon3
		sys/devices/platform/soc@107c000000/soc@107c000000:firmware/raspberrypi-hwmon/hwmon/hwmon3/name rpi_volt
		sys/devices/platform/soc@107c000000/soc@107c000000:firmware/raspberrypi-hwmon/hwmon/hwmon3/in0_lcrit_alarm 0
		proc/net/wireless Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n wlan0: 0000    0     0     0        0      0      0      0      0        0\n wlan1: 0000   41.  -69.  -256        0      0      0      0      0        0`
)
