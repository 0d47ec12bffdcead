package bme680

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"
)

// vector is one case of testdata/bme680-vectors.json: a register file, settings,
// and what Bosch's BME68x SensorAPI 4.4.8 (floating point) makes of them.
type vector struct {
	Registers string  `json:"registers"`
	Field0    string  `json:"field0"`
	Variant   int     `json:"variant"`
	OsHum     uint8   `json:"os_hum"`
	OsPres    uint8   `json:"os_pres"`
	OsTemp    uint8   `json:"os_temp"`
	Filter    uint8   `json:"filter"`
	HeaterC   float64 `json:"heater_c"`
	HeaterMs  int     `json:"heater_ms"`
	AmbientC  float64 `json:"ambient_c"`
	Want      struct {
		Temperature  float64 `json:"temperature_c"`
		Pressure     float64 `json:"pressure_pa"`
		Humidity     float64 `json:"humidity_rh"`
		Gas          float64 `json:"gas_ohm"`
		GasValid     bool    `json:"gas_valid"`
		HeaterStable bool    `json:"heater_stable"`
		ResHeat0     byte    `json:"res_heat_0"`
		GasWait0     byte    `json:"gas_wait_0"`
		CtrlGas1     byte    `json:"ctrl_gas_1"`
		CtrlHum      byte    `json:"ctrl_hum"`
		CtrlMeas     byte    `json:"ctrl_meas_written"`
		Config       byte    `json:"config"`
		TPHDuration  int     `json:"tph_duration_us"`
	} `json:"want"`
}

func (v *vector) opts() *Opts {
	return &Opts{
		Temperature:       Oversampling(v.OsTemp),
		Pressure:          Oversampling(v.OsPres),
		Humidity:          Oversampling(v.OsHum),
		Filter:            Filter(v.Filter),
		HeaterTemperature: fromCelsius(v.HeaterC),
		HeaterDuration:    time.Duration(v.HeaterMs) * time.Millisecond,
		Ambient:           fromCelsius(v.AmbientC),
	}
}

func fromCelsius(c float64) physic.Temperature {
	return physic.ZeroCelsius + physic.Temperature(c*float64(physic.Celsius))
}

var vectors = func() []vector {
	b, err := os.ReadFile("testdata/bme680-vectors.json")
	if err != nil {
		panic(err)
	}
	var v []vector
	if err := json.Unmarshal(b, &v); err != nil {
		panic(err)
	}
	return v
}()

// vectorsByVariant is one unremarkable case of each variant.
var vectorsByVariant = func() (out [2]vector) {
	for _, v := range vectors {
		w := v.Want
		if w.GasValid && w.HeaterStable && w.Temperature > 10 && w.Temperature < 40 && w.Humidity > 5 && w.Humidity < 95 {
			out[v.Variant] = v
		}
	}
	return out
}()

// TestVectors runs every case through the public API and compares results,
// registers and waiting time with the reference.
func TestVectors(t *testing.T) {
	if len(vectors) != 300 {
		t.Fatalf("%d cases, want 300", len(vectors))
	}
	for i, v := range vectors {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testVector(t, &v) })
		})
	}
}

func testVector(t *testing.T, v *vector) {
	c := newChip(0x76, v.Registers, v.Field0)
	d, err := NewI2C(c, 0x76, v.opts())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var m Measurement
	if err := d.Sense(&m); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	w := &v.Want
	near := func(name string, got, want, tolerance float64) {
		if !(math.Abs(got-want) <= tolerance) {
			t.Errorf("%s is %.9g, want %.9g", name, got, want)
		}
	}
	near("temperature in °C", m.Temperature.Celsius(), w.Temperature, 0.01)
	near("pressure in Pa", float64(m.Pressure)/float64(physic.Pascal), w.Pressure, 2)
	near("humidity in %", float64(m.Humidity)/float64(physic.PercentRH), w.Humidity, 0.02)
	near("gas resistance in Ω", float64(m.Gas)/float64(physic.Ohm), w.Gas, 0.001*w.Gas)
	if m.GasValid != w.GasValid || m.HeaterStable != w.HeaterStable {
		t.Errorf("gas valid %t, heater stable %t; want %t, %t", m.GasValid, m.HeaterStable, w.GasValid, w.HeaterStable)
	}
	for _, r := range []struct {
		name            string
		reg, mask, want byte
	}{
		{"res_heat_0", 0x5A, 0xFF, w.ResHeat0},
		{"gas_wait_0", 0x64, 0xFF, w.GasWait0},
		{"ctrl_gas_0", 0x70, 0x08, 0},
		{"ctrl_gas_1", 0x71, 0x3F, w.CtrlGas1},
		{"ctrl_hum", 0x72, 0x07, w.CtrlHum},
		{"ctrl_meas", 0x74, 0xFF, w.CtrlMeas},
		{"config", 0x75, 0x1C, w.Config},
	} {
		got, ok := c.written[r.reg]
		if !ok || got&r.mask != r.want&r.mask {
			t.Errorf("%s is %#02x (written: %t), want %#02x", r.name, got, ok, r.want)
		}
	}
	want := time.Duration(w.TPHDuration)*time.Microsecond + time.Duration(v.HeaterMs)*time.Millisecond
	if took != want {
		t.Errorf("Sense took %s, want %s", took, want)
	}
	for _, rule := range c.wrong {
		t.Error("the driver broke a rule:", rule)
	}
}
