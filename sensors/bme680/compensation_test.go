package bme680

import (
	"math"
	"testing"

	"periph.io/x/conn/v3/physic"
)

// golden is a calibration that other open drivers test with; the values below
// were calculated with the datasheet's integer formulas.
var golden = calibration{
	t1: 26041, t2: 26469, t3: 3,
	p1: 36673, p2: -10515, p3: 88, p4: 7310, p5: -129, p6: 30, p7: 46, p8: -3177, p9: -2379, p10: 30,
	h1: 676, h2: 1029, h3: 0, h4: 45, h5: 20, h6: 120, h7: -100,
	gh1: -30, gh2: -24754, gh3: 18,
	heatRange: 1, heatVal: 48, rangeErr: 0,
}

func TestGolden(t *testing.T) {
	tFine := golden.tFine(501240)
	offset := 1.99 * finePerCelsius
	for _, c := range []struct {
		name                 string
		got, want, tolerance float64
	}{
		{"t_fine", tFine, 136667, 26}, // 0.005 °C
		{"t_fine with an offset of 1.99 °C", tFine + offset, 146830, 52},
		{"temperature in °C", tFine / finePerCelsius, 26.69, 0.01},
		{"temperature with an offset of 1.99 °C", (tFine + offset) / finePerCelsius, 28.68, 0.01},
		{"pressure in Pa", golden.pressure(353485, tFine), 98712, 6}, // integers lose 5 Pa
		{"humidity in %", golden.humidity(19019, tFine), 42.402, 0.02},
		{"gas resistance of a BME680 in Ω", golden.gasLow(0, 0), 12946860, 12946},
		{"gas resistance of a BME688 in Ω", gasHigh(0, 0), 102400000, 102400},
	} {
		if math.Abs(c.got-c.want) > c.tolerance {
			t.Errorf("%s is %.9g, want %.9g", c.name, c.got, c.want)
		}
	}
}

func TestWaitCode(t *testing.T) {
	for ms, want := range map[int64]byte{
		0: 0, 1: 1, 63: 63, 64: 0x40 | 16, 100: 0x40 | 25, 150: 0x40 | 37, 252: 0x40 | 63,
		256: 0x80 | 16, 1008: 0x80 | 63, 1024: 0xC0 | 16, 4031: 0xC0 | 62, 4032: 0xFF, 9999: 0xFF,
	} {
		if got := waitCode(ms); got != want {
			t.Errorf("%d ms is code %#02x, want %#02x", ms, got, want)
		}
	}
}

func TestHeaterCodeBounds(t *testing.T) {
	cold := calibration{gh1: -128, gh2: math.MinInt16, gh3: 127, heatVal: -128, heatRange: 3}
	hot := calibration{gh1: 127, gh2: math.MaxInt16, gh3: 127, heatVal: -128}
	for _, c := range []struct {
		name            string
		cal             calibration
		target, ambient float64
		want            byte
	}{
		{"never below 0", cold, 0, -1e6, 0},
		{"no temperature known", golden, 320, math.NaN(), 0},
		{"absurd temperature", hot, 400, 1e300, 0},
		{"absurd cold", hot, 400, math.Inf(-1), 0},
		{"beyond eight bits", hot, 400, 25, 485 - 256},
	} {
		if got := c.cal.heaterCode(c.target, c.ambient); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
	}
}

func TestCalibrationNibbles(t *testing.T) {
	var a [lenCalib1]byte
	var b [lenCalib2]byte
	var c [lenCalib3]byte
	a[0] = 1
	b[0], b[1], b[2] = 0x40, 0x5A, 0x2A
	c[2], c[4] = 0xFF, 0x8F
	cal, err := newCalibration(&a, &b, &c)
	if err != nil {
		t.Fatal(err)
	}
	if cal.h2 != 0x405 || cal.h1 != 0x2AA || cal.heatRange != 3 || cal.rangeErr != -8 {
		t.Errorf("h2 %#x, h1 %#x, range %d, range error %d", cal.h2, cal.h1, cal.heatRange, cal.rangeErr)
	}
}

// FuzzCompensation feeds any register contents: no result may be beyond what
// the units can hold, whatever the calibration.
func FuzzCompensation(f *testing.F) {
	for _, v := range vectors[:8] {
		c := newChip(0x76, v.Registers, v.Field0)
		f.Add(c.reset[regCalib1:regCalib1+lenCalib1], c.reset[regCalib2:regCalib2+lenCalib2], c.reset[:lenCalib3], c.field[:], int64(0), byte(v.Variant))
	}
	ff := make([]byte, lenCalib1)
	for i := range ff {
		ff[i] = 0xFF
	}
	ff[0] = 0
	f.Add(ff, ff, ff, ff, int64(-50), byte(0))
	f.Add(make([]byte, lenCalib1), ff, ff, ff, int64(50), byte(1))
	f.Fuzz(func(t *testing.T, b1, b2, b3, field []byte, offset int64, variant byte) {
		var (
			a1 [lenCalib1]byte
			a2 [lenCalib2]byte
			a3 [lenCalib3]byte
			fl [lenField]byte
		)
		copy(a1[:], b1)
		copy(a2[:], b2)
		copy(a3[:], b3)
		copy(fl[:], field)
		cal, err := newCalibration(&a1, &a2, &a3)
		if err != nil {
			return
		}
		d := &Dev{opts: DefaultOpts, cal: cal, ambient: 25}
		d.high.Store(variant&1 != 0)
		d.opts.TemperatureOffset = physic.Temperature(offset%51) * physic.Kelvin
		before := Measurement{GasValid: true}
		m := before
		if err := d.decode(&m, &fl); err != nil {
			if m != before {
				t.Errorf("measurement changed by a failure: %+v", m)
			}
			return
		}
		switch {
		case m.Temperature < 0 || m.Temperature.Celsius() > 300:
			t.Errorf("temperature %d", m.Temperature)
		case m.Pressure < 0:
			t.Errorf("pressure %d", m.Pressure)
		case m.Humidity < 0 || m.Humidity > 100*physic.PercentRH:
			t.Errorf("humidity %d", m.Humidity)
		case m.Gas <= 0:
			t.Errorf("gas resistance %d", m.Gas)
		case math.IsNaN(d.ambient) || math.IsInf(d.ambient, 0):
			t.Errorf("ambient %f", d.ambient)
		}
		d.cal.heaterCode(320, d.ambient)
	})
}

var sinkMeasurement Measurement

func BenchmarkDecode(b *testing.B) {
	for name, high := range map[string]bool{"BME680": false, "BME688": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := indoors()
			d := &Dev{opts: DefaultOpts, cal: golden}
			d.high.Store(high)
			for b.Loop() {
				if err := d.decode(&sinkMeasurement, &c.field); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHeaterCode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		golden.heaterCode(320, 21.5)
	}
}
