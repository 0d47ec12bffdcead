package bme680_test

import (
	"fmt"
	"log"
	"time"

	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/host/v3"

	"pithings/sensors/bme680"
)

func Example() {
	// A bus that plays a recording back, so that this example runs anywhere.
	// On a board it comes from i2creg.Open, see the example of NewI2C.
	bus := recording()

	d, err := bme680.NewI2C(bus, 0x76, &bme680.Opts{
		Temperature:       bme680.O2x,
		Pressure:          bme680.O1x,
		Humidity:          bme680.O1x,
		HeaterTemperature: physic.ZeroCelsius + 320*physic.Celsius,
		HeaterDuration:    20 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	var m bme680.Measurement
	if err := d.Sense(&m); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f °C, %.1f hPa, %.1f %%\n",
		m.Temperature.Celsius(),
		float64(m.Pressure)/float64(100*physic.Pascal),
		float64(m.Humidity)/float64(physic.PercentRH))
	if m.GasValid && m.HeaterStable {
		fmt.Printf("%.0f kΩ\n", float64(m.Gas)/float64(physic.KiloOhm))
	}
	// Output:
	// 26.69 °C, 987.2 hPa, 42.4 %
	// 60 kΩ
}

func ExampleNewI2C() {
	// Make sure periph is initialized.
	if _, err := host.Init(); err != nil {
		log.Fatal(err)
	}
	// The first bus there is.
	b, err := i2creg.Open("")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	// Either address, default options.
	d, err := bme680.NewI2C(b, 0, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Halt()
	var m bme680.Measurement
	if err := d.Sense(&m); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Temperature, m.Pressure, m.Humidity, m.Gas)
}

func recording() *i2ctest.Playback {
	return &i2ctest.Playback{Ops: []i2ctest.IO{
		{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x61}}, // which chip?
		{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x61}},
		{Addr: 0x76, W: []byte{0xE0, 0xB6}}, // soft reset
		{Addr: 0x76, W: []byte{0xF0}, R: []byte{0x00}},
		{Addr: 0x76, W: []byte{0x8A}, R: []byte{
			0x65, 0x67, 0x03, 0x00, 0x41, 0x8F, 0xED, 0xD6, 0x58, 0x00, 0x8E, 0x1C,
			0x7F, 0xFF, 0x2E, 0x1E, 0x00, 0x00, 0x97, 0xF3, 0xB5, 0xF6, 0x1E}},
		{Addr: 0x76, W: []byte{0xE1}, R: []byte{
			0x40, 0x54, 0x2A, 0x00, 0x2D, 0x14, 0x78, 0x9C, 0xB9, 0x65, 0x4E, 0x9F, 0xE2, 0x12}},
		{Addr: 0x76, W: []byte{0x00}, R: []byte{0x30, 0x00, 0x10, 0x00, 0x00}},
		{Addr: 0x76, W: []byte{ // heater, humidity, filter
			0x5A, 0x6A, 0x64, 0x14, 0x70, 0x00, 0x71, 0x10, 0x72, 0x01, 0x75, 0x00}},
		{Addr: 0x76, W: []byte{0x74, 0x45}}, // start
		{Addr: 0x76, W: []byte{0x1D}, R: []byte{
			0x80, 0x00, 0x56, 0x4C, 0xD0, 0x7A, 0x5F, 0x80, 0x4A, 0x4B,
			0x00, 0x00, 0x00, 0x92, 0xB7, 0x00, 0x00}},
	}}
}
