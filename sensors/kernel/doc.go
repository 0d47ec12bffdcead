// Package kernel reads any sensor for which Linux has a driver, through the
// files in which the kernel shows it.
//
//	root, err := board.Sysfs("dht11")
//	dev, err := kernel.Open(root, "dht11", nil)
//	values, err := dev.Read(ctx)   // values[i] is the value of dev.Channels()[i]
//
// Four kinds of sensors are known, each by the kernel's own documents
// (docs.kernel.org, Documentation/…):
//
//	iio      industrial I/O: DHT11/22, BH1750, ADS1115, MCP3008, BMP280, TSL2561,
//	         VL53L0X …                    ABI/testing/sysfs-bus-iio
//	hwmon    hardware monitoring: INA219, LM75, SHT21, SHT3x …
//	                                      hwmon/sysfs-interface.rst, ABI/testing/sysfs-class-hwmon
//	w1       1-wire thermometers: DS18B20 and its relatives
//	                                      w1/slaves/w1_therm.rst
//	thermal  thermal zones: the processor   driver-api/thermal/sysfs-api.rst
//
// # Names
//
// A sensor is named by its label, the name of its driver or chip, or its name in
// the device tree; a 1-wire sensor by its number, which is its own, and a thermal
// zone by its type. It is never named by its place in /sys (iio:device0, hwmon2):
// that changes with the order in which drivers load. Where several sensors answer
// to a name, the address on their bus is added: lm75@1-0048. [List] returns
// the name to write for each.
//
// # Values
//
// Values have the unit of their channel: °C, %, V, A, W, J, hPa, lx, m … A value
// beyond what is plausible for its channel is an error, not a value.
//
// # Failures
//
// A channel that cannot be read fails alone. A DHT11 or DHT22 loses one reading
// in a few, as its bits are timed by interrupts: it is read once more after the
// two seconds that it needs between two readings (AM2302 datasheet, "Collecting
// period should be: >2 second"). All others are read once; the next interval is
// their second try.
//
// A file that blocks fails after Opts.Timeout, and its read is left behind, one
// for each device at most: while it waits, further readings fail at once.
//
// A sensor that vanishes returns [hw.ErrGone]: open it again by its name, for it
// may return under another number.
package kernel
