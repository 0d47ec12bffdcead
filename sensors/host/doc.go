// Package host measures the computer that the program runs on: its processor's
// temperature, whether its supply is too weak, load, memory, disk space, uptime
// and the strength of its radio.
//
//	root, err := board.Sysfs("")
//	dev, err := host.Open(root, &host.Opts{Disks: []string{"/"}})
//	values, err := dev.Read(ctx)   // values[i] is the value of dev.Channels()[i]
//
// Everything is read from files of the kernel below a root folder, so that it
// works the same on any machine and from a folder in tests. What a machine does
// not show is left out, and nothing else.
//
//	cpu_temperature     °C    sys/class/thermal (driver-api/thermal/sysfs-api.rst)
//	under_voltage       0, 1  hwmon rpi_volt, in0_lcrit_alarm (drivers/hwmon/raspberrypi-hwmon.c)
//	load_1 load_5 load_15     proc/loadavg (proc(5))
//	memory_total memory_available   B, memory_used %   proc/meminfo
//	uptime              s     proc/uptime
//	signal_strength     dBm   proc/net/wireless
//	disk_total disk_available       B, disk_used %     statfs(2)
//
// With [Opts.Throttled], which [Mailbox] or [Deprecated] can provide, there are
// also
//
//	throttled frequency_capped temperature_limit   0, 1
//
// Memory is used that is not available: the kernel's caches do not count.
package host
