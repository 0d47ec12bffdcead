package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pithings/hw"
	"pithings/sensors/internal/sysfs"
)

// show writes a reading as a line: "temperature 21.5 °C, humidity 48.3 %".
func show(d *Device, values []float64) string {
	var list []string
	for i, q := range d.Channels() {
		v := math.NaN()
		if values != nil {
			v = values[i]
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %.6g %s", q.Name, v, q.Unit)))
	}
	return strings.Join(list, ", ")
}

func TestParts(t *testing.T) {
	iio := func(lines string) string {
		return strings.ReplaceAll(lines, "DEV", "sys/bus/iio/devices/iio:device0")
	}
	hwmon := func(lines string) string { return strings.ReplaceAll(lines, "DEV", "sys/class/hwmon/hwmon0") }
	for _, c := range []struct{ part, name, files, want string }{
		{"DHT22", "dht11", dht22, "humidity 48.3 %, temperature 21.5 °C"},
		{"DHT22 by its chip", "dht22", dht22, "humidity 48.3 %, temperature 21.5 °C"},
		{"ADS1115 with a labelled input", "ads1115", ads1115, "voltage_0_1 0.05 V, battery 3.3015 V, voltage_1 -0.002 V, voltage_2 0 V"},
		{"INA219", "ina219", ina219, "current 0.18 A, voltage_0 0.018 V, voltage_1 5.048 V, power 0.92 W"},
		{"LM75 by its address", "lm75@1-0049", lm75s, "temperature -5.5 °C"},
		{"DS18B20", "28-0316a2794f5b", ds18b20, "temperature 12.437 °C"},
		{"the only DS18B20", "ds18b20", ds18b20, "temperature 12.437 °C"},
		{"DS18B20 of an old kernel", "28-0316a2794f5b", `
			sys/bus/w1/devices/28-0316a2794f5b/w1_slave c7 00 4b 46 7f ff 09 10 5d : crc=5d YES\nc7 00 4b 46 7f ff 09 10 5d t=-12437`,
			"temperature -12.437 °C"},
		{"processor", "cpu-thermal", cpu, "temperature 47.774 °C"},
		{"BH1750: raw and scale", "bh1750", iio(`
			DEV/name bh1750
			DEV/in_illuminance_raw 1204
			DEV/in_illuminance_scale 0.833333`), "illuminance 1003.33 lx"},
		{"MCP3008: one scale for all", "mcp3008", iio(`
			DEV/name mcp3008
			DEV/in_voltage0_raw 1023
			DEV/in_voltage1_raw 512
			DEV/in_voltage0-voltage1_raw 511
			DEV/in_voltage_scale 3.222656250
			DEV/in_voltage-voltage_scale 3.222656250`), "voltage_0_1 1.64678 V, voltage_0 3.29678 V, voltage_1 1.65 V"},
		{"BMP280", "bmp280", iio(`
			DEV/name bmp280
			DEV/in_temp_input 23180
			DEV/in_pressure_input 101.325000000
			DEV/in_pressure_oversampling_ratio 16
			DEV/in_temp_oversampling_ratio 2`), "pressure 1013.25 hPa, temperature 23.18 °C"},
		{"BME280: humidity in milli-percent", "bme280", iio(`
			DEV/name bme280
			DEV/in_humidityrelative_input 41230
			DEV/in_pressure_input 98.712000000
			DEV/in_temp_input 21990`), "humidity 41.23 %, pressure 987.12 hPa, temperature 21.99 °C"},
		{"HDC1080: raw, offset and scale", "hdc1000", iio(`
			DEV/name hdc1000
			DEV/in_temp_raw 26214
			DEV/in_temp_offset -15887.515151
			DEV/in_temp_scale 2.517700195
			DEV/in_humidityrelative_raw 32768
			DEV/in_humidityrelative_scale 1.525878906`), "humidity 50 %, temperature 25.999 °C"},
		{"SHT31 by hwmon", "sht3x", hwmon(`
			DEV/name sht3x
			DEV/temp1_input 21337
			DEV/humidity1_input 47120
			DEV/temp1_alarm 0`), "humidity 47.12 %, temperature 21.337 °C"},
		{"TSL2561: lux and two diodes", "tsl2561", iio(`
			DEV/name tsl2561
			DEV/in_illuminance0_input 312
			DEV/in_intensity_both_raw 1024
			DEV/in_intensity_ir_raw 200`), "illuminance 312 lx, intensity_both 1024, intensity_ir 200"},
		{"VL53L0X", "vl53l0x", iio(`
			DEV/name vl53l0x
			DEV/in_distance_raw 842
			DEV/in_distance_scale 0.001`), "distance 0.842 m"},
		{"MLX90614: ambient and object", "mlx90614", iio(`
			DEV/name mlx90614
			DEV/in_temp_ambient_raw 14866
			DEV/in_temp_object_raw 15456
			DEV/in_temp_offset -13657.5
			DEV/in_temp_scale 20`), "temperature_ambient 24.17 °C, temperature_object 35.97 °C"},
		{"MPU6050", "mpu6050", iio(`
			DEV/name mpu6050
			DEV/in_accel_x_raw 100
			DEV/in_accel_y_raw -200
			DEV/in_accel_z_raw 16384
			DEV/in_accel_scale 0.000598
			DEV/in_accel_matrix 0, 0, 0; 0, 0, 0; 0, 0, 0
			DEV/in_accel_x_calibbias 0`), "acceleration_x 0.0598 m/s², acceleration_y -0.1196 m/s², acceleration_z 9.79763 m/s²"},
		{"SCD30", "scd30", iio(`
			DEV/name scd30
			DEV/in_concentration_co2_raw 612.000000000
			DEV/in_concentration_co2_scale 0.0001
			DEV/in_humidityrelative_raw 4123
			DEV/in_humidityrelative_scale 10`), "co2 612 ppm, humidity 41.23 %"},
		{"SPS30", "sps30", iio(`
			DEV/name sps30
			DEV/in_massconcentration_pm1_input 1.250000
			DEV/in_massconcentration_pm2p5_input 2.500000
			DEV/in_massconcentration_pm10_input 3.000000`), "pm10 3 µg/m³, pm1 1.25 µg/m³, pm25 2.5 µg/m³"},
		{"counts without a scale have no unit", "vcnl4010", iio(`
			DEV/name vcnl4010
			DEV/in_proximity_raw 2190`), "proximity 2190"},
		{"processed before raw", "si7020", iio(`
			DEV/name si7020
			DEV/in_temp_raw 1
			DEV/in_temp_scale 1
			DEV/in_temp_input 20000
			DEV/in_temp_peak_raw 5
			DEV/in_temp_mean_raw 5
			DEV/out_voltage0_raw 7
			DEV/in_temp_sampling_frequency 3`), "temperature 20 °C"},
		{"several temperatures", "nct7802", hwmon(`
			DEV/name nct7802
			DEV/temp1_input 30000
			DEV/temp4_input 41000
			DEV/temp4_label CPU Die
			DEV/temp2_input 35000
			DEV/temp2_enable 0
			DEV/fan1_input 1480
			DEV/energy1_input 3600000000
			DEV/power1_average 2500000
			DEV/power2_input 1000000
			DEV/power2_average 900000`), "energy 3600 J, fan 1480 rpm, power_1 2.5 W, power_2 1 W, temperature 30 °C, cpu_die 41 °C"},
		{"two labels alike", "coretemp", hwmon(`
			DEV/name coretemp
			DEV/temp1_input 30000
			DEV/temp1_label Core
			DEV/temp2_input 31000
			DEV/temp2_label core!`), "core_1 30 °C, core_2 31 °C"},
		{"a label that means something else on the topic", "ups", hwmon(`
			DEV/name ups
			DEV/in1_input 12000
			DEV/in1_label Status
			DEV/in2_input 5000
			DEV/in2_label 電池`), "status_voltage 12 V, voltage 5 V"},
		{"a chip of an old driver", "ds1621", `
			sys/class/hwmon/hwmon0 -> ../../devices/platform/i2c-1/1-004f/hwmon/hwmon0
			sys/devices/platform/i2c-1/1-004f/hwmon/hwmon0/device -> ../../../1-004f
			sys/devices/platform/i2c-1/1-004f/name ds1621
			sys/devices/platform/i2c-1/1-004f/temp1_input 19500`, "temperature 19.5 °C"},
		{"humidity a little beyond 100 %", "sht21", hwmon(`
			DEV/name sht21
			DEV/humidity1_input 103200`), "humidity 100 %"},
	} {
		t.Run(c.part, func(t *testing.T) {
			d, err := Open(tree(c.files), c.name, nil)
			if err != nil {
				t.Fatal(err)
			}
			values, err := d.Read(t.Context())
			if got := show(d, values); err != nil || got != c.want {
				t.Errorf("read %s, %v\nwant %s", got, err, c.want)
			}
			for _, q := range d.Channels() {
				if q.Name != sysfs.Name(q.Name) {
					t.Errorf("%q is no level of a topic", q.Name)
				}
			}
		})
	}
}

func TestList(t *testing.T) {
	list, err := List(tree(pi))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list {
		s := &list[i]
		if s.Name == "" || len(s.Channels) == 0 {
			t.Errorf("%+v", s)
		}
		got = append(got, s.String())
		// What is written for a sensor finds it.
		if found, err := Find(tree(pi), s.Name); err != nil || found.Path != s.Path {
			t.Errorf("%s: found %v, %v", s.Name, found, err)
		}
	}
	want := []string{
		"dht11 (iio, /dht11@4)", "ads1015 (iio, /soc/i2c@7e804000/ads1115@48)",
		"ina219 (hwmon)", "lm75@1-0048 (hwmon)", "lm75@1-0049 (hwmon)",
		"28-0316a2794f5b (w1)", "cpu-thermal (thermal)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
}

func TestFind(t *testing.T) {
	root := tree(pi)
	for name, want := range map[string]string{
		"dht11@4":                              "sys/bus/iio/devices/iio:device0",
		"am2302":                               "sys/bus/iio/devices/iio:device0",
		"ads1115":                              "sys/bus/iio/devices/iio:device1",
		"ads1115@48":                           "sys/bus/iio/devices/iio:device1",
		"ads1015@1-0048":                       "sys/bus/iio/devices/iio:device1",
		"lm75@1-0048":                          "sys/class/hwmon/hwmon3",
		"28-0316a2794f5b":                      "sys/bus/w1/devices/28-0316a2794f5b",
		"ads1115@/soc/i2c@7e804000/ads1115@48": "sys/bus/iio/devices/iio:device1",
	} {
		if s, err := Find(root, name); err != nil || s.Path != want {
			t.Errorf("%s: %v, %v, want %s", name, s, err, want)
		}
	}
	for name, want := range map[string]struct {
		kind error
		text string
	}{
		"lm75":          {ErrAmbiguous, `kernel sensor "lm75": several sensors have this name; write one of lm75@1-0048 (hwmon), lm75@1-0049 (hwmon)`},
		"bh1750":        {hw.ErrNotFound, `the kernel shows dht11 (iio, /dht11@4), ads1015`},
		"":              {hw.ErrNotFound, "the kernel shows dht11"},
		"lm75@":         {hw.ErrNotFound, "the kernel shows dht11"},
		"lm75@1-0050":   {hw.ErrNotFound, "lm75@1-0048"},
		"iio:device0":   {hw.ErrNotFound, "that number changes"},
		"hwmon3":        {hw.ErrNotFound, "that number changes"},
		"rpi_volt":      {hw.ErrNotFound, ""}, // it has an alarm, and no value
		"cpu_thermal":   {hw.ErrNotFound, ""}, // the zone once more
		"w1_slave_temp": {hw.ErrNotFound, ""}, // the thermometer once more
	} {
		_, err := Find(root, name)
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, want.kind, want.text)
		}
	}
	if _, err := Find(fstest.MapFS{}, "dht11"); !errors.Is(err, hw.ErrNotFound) || !strings.Contains(err.Error(), "shows none: load its driver") {
		t.Errorf("a machine without sensors: %v", err)
	}
}

// Values are the decimal numbers that the kernel's integers stand for.
func TestValuesAreExact(t *testing.T) {
	d, err := Open(tree(strings.ReplaceAll(lm75s, "23125", "21243")), "lm75@1-0048", nil)
	if err != nil {
		t.Fatal(err)
	}
	if values, err := d.Read(t.Context()); err != nil || values[0] != 21.243 {
		t.Errorf("%v, %v, want 21.243", values, err)
	}
}

func TestParent(t *testing.T) {
	for link, want := range map[string]string{
		"../../../devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device1":                                           "1-0048",
		"../../devices/platform/soc/20804000.i2c/i2c-1/1-0040/hwmon/hwmon2":                                             "1-0040",
		"../../../devices/platform/dht11@4/iio:device0":                                                                 "dht11@4",
		"../../devices/virtual/misc/uhid/0003:10C4:EA90.0001/i2c-1/1-0040/hwmon/hwmon0":                                 "1-0040", // behind a USB adapter that is emulated
		"../../devices/platform/soc/3f980000.usb/usb1/1-1/1-1.2/1-1.2:1.0/0003:10C4:EA90.0001/i2c-3/3-0076/iio:device0": "3-0076",
		"../../devices/virtual/thermal/thermal_zone0":                                                                   "",
		"../../devices/virtual/thermal/thermal_zone0/hwmon0":                                                            "thermal_zone0",
		"../../devices/virtual/hwmon/hwmon1":                                                                            "",
		"hwmon1":                                                                                                        "",
		"":                                                                                                              "",
	} {
		if got := parent(link); got != want {
			t.Errorf("%s belongs to %q, want %q", link, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	root := tree(pi + `
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0048/hwmon/hwmon3/label Greenhouse
		sys/devices/platform/soc/20804000.i2c/i2c-1/1-0049/hwmon/hwmon4/of_node -> ../../../../../../../../firmware/devicetree/base/soc/i2c@7e804000/lm75@49
		sys/firmware/devicetree/base/soc/i2c@7e804000/lm75@49/label cellar\0`)
	for name, want := range map[string]string{"Greenhouse": "sys/class/hwmon/hwmon3", "cellar": "sys/class/hwmon/hwmon4"} {
		s, err := Find(root, name)
		if err != nil || s.Path != want || s.Name != name {
			t.Errorf("%s: %v, %v, want %s", name, s, err, want)
		}
	}
}

// unreadable is a file system whose hwmon cannot be listed.
type unreadable struct{ fstest.MapFS }

func (u unreadable) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "sys/class/hwmon" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.ReadDir(name)
}

func TestAClassThatCannotBeListed(t *testing.T) {
	root := unreadable{tree(pi)}
	list, err := List(root)
	if len(list) != 4 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%d sensors, %v", len(list), err)
	}
	if _, err := Open(root, "dht11", nil); err != nil {
		t.Error(err)
	}
	if _, err := Open(root, "ina219", nil); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}
