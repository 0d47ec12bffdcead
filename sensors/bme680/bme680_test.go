package bme680

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"
)

// noGas measures quickly.
func noGas() *Opts {
	return &Opts{Temperature: O1x, Pressure: O1x, Humidity: O1x}
}

// open returns a driver on c that must be there.
func open(t *testing.T, c *chip, opts *Opts) *Dev {
	t.Helper()
	d, err := NewI2C(c, 0, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func checkRules(t *testing.T, c *chip) {
	t.Helper()
	for _, rule := range c.wrong {
		t.Error("the driver broke a rule:", rule)
	}
}

func TestNewI2C_finds(t *testing.T) {
	for _, c := range []struct {
		name string
		chip *chip
		addr uint16
		want string
	}{
		{"BME680 at 0x76, found by itself", indoors(), 0, "BME680{fake, 0x76}"},
		{"BME680 at 0x76, configured", indoors(), 0x76, "BME680{fake, 0x76}"},
		{"BME688 at 0x77, found by itself", bme688(), 0, "BME688{fake, 0x77}"},
		{"BME688 at 0x77, configured", bme688(), 0x77, "BME688{fake, 0x77}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := NewI2C(c.chip, c.addr, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := d.String(); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if c.chip.resets != 1 {
					t.Errorf("%d soft resets, want 1", c.chip.resets)
				}
				checkRules(t, c.chip)
			})
		})
	}
}

// pair is a bus with two parts.
type pair struct{ *chip }

func (p pair) Tx(addr uint16, w, r []byte) error {
	if addr == 0x76 {
		if w[0] == regChipID {
			r[0] = 0x60
			return nil
		}
		return errNACK
	}
	return p.chip.Tx(addr, w, r)
}

func TestNewI2C_besideAnotherChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := NewI2C(pair{bme688()}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := d.String(), "BME688{fake, 0x77}"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestNewI2C_otherChip(t *testing.T) {
	for _, c := range []struct {
		name string
		id   byte
		reg0 byte
		want string
	}{
		{"BME280", 0x60, 0, "a BME280 (chip id 0x60) at 0x76"},
		{"BMP280", 0x58, 0, "a BMP280 (chip id 0x58) at 0x76"},
		{"BMP280 sample", 0x57, 0, "a BMP280 sample (chip id 0x57) at 0x76"},
		{"BMP180", 0x55, 0, "a BMP180 or BMP085 (chip id 0x55) at 0x76"},
		{"BMP388", 0x00, 0x50, "a BMP388 (chip id 0x50) at 0x76"},
		{"BMP390", 0x00, 0x60, "a BMP390 (chip id 0x60) at 0x76"},
		{"anything else", 0x42, 0, "an unknown part (chip id 0x42) at 0x76"},
	} {
		for _, addr := range []uint16{0, 0x76} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := indoors()
					chip.regs[regChipID], chip.regs[0] = c.id, c.reg0
					_, err := NewI2C(chip, addr, nil)
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("got %v, want %q in it", err, c.want)
					}
					if chip.resets != 0 || len(chip.written) != 0 {
						t.Error("wrote to a chip that is not ours")
					}
				})
			})
		}
	}
}

func TestNewI2C_variants(t *testing.T) {
	for variant, want := range map[byte]string{2: "BME690", 7: "variant 0x07"} {
		synctest.Test(t, func(t *testing.T) {
			chip := indoors()
			chip.reset[regVariant] = variant
			if _, err := NewI2C(chip, 0, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		})
	}
}

func TestNewI2C_nothingThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := indoors()
		chip.gone = true
		_, err := NewI2C(chip, 0, nil)
		if !errors.Is(err, errNACK) {
			t.Fatalf("got %v, want it to wrap %v", err, errNACK)
		}
		const want = "bme680: no BME680 or BME688 on fake: no answer at 0x76 (remote I/O error), no answer at 0x77 (remote I/O error); " +
			"check the sensor's wires and supply, that I²C is enabled, and what `i2cdetect` shows"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
}

func TestNewI2C_blankCalibration(t *testing.T) {
	for name, v := range map[string]byte{"zeros": 0x00, "ones": 0xFF} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := indoors()
				for i := range lenCalib1 {
					chip.reset[regCalib1+i] = v
				}
				if _, err := NewI2C(chip, 0, nil); !errors.Is(err, errBlankCalibration) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestNewI2C_options(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(o *Opts)
		want   string // "" is accepted
	}{
		{"defaults", func(o *Opts) {}, ""},
		{"heater too hot", func(o *Opts) { o.HeaterTemperature = fromCelsius(401) }, "400°C"},
		{"heater in Kelvin by mistake", func(o *Opts) { o.HeaterTemperature = 320 * physic.Kelvin }, "100°C to 400°C"},
		{"heater at its hottest", func(o *Opts) { o.HeaterTemperature = fromCelsius(400) }, ""},
		{"heated too long", func(o *Opts) { o.HeaterDuration = 4033 * time.Millisecond }, "1ms to 4032ms"},
		{"heated at the longest", func(o *Opts) { o.HeaterDuration = 4032 * time.Millisecond }, ""},
		{"heated too short", func(o *Opts) { o.HeaterDuration = 999 * time.Microsecond }, "1ms to 4032ms"},
		{"heated for less than nothing", func(o *Opts) { o.HeaterDuration = -time.Second }, "1ms to 4032ms"},
		{"no gas by duration", func(o *Opts) { o.HeaterDuration = 0 }, ""},
		{"no gas by temperature", func(o *Opts) { o.HeaterTemperature = 0 }, ""},
		{"filter code", func(o *Opts) { o.Filter = 8 }, "0 (off) to 7"},
		{"oversampling code of temperature", func(o *Opts) { o.Temperature = 6 }, "Opts.Temperature"},
		{"oversampling code of pressure", func(o *Opts) { o.Pressure = 6 }, "Opts.Pressure"},
		{"oversampling code of humidity", func(o *Opts) { o.Humidity = 255 }, "0 (off) to 5 (16x)"},
		{"pressure without temperature", func(o *Opts) { o.Temperature = Off }, "without the temperature"},
		{"gas alone", func(o *Opts) { o.Temperature, o.Pressure, o.Humidity = Off, Off, Off }, ""},
		{"nothing at all", func(o *Opts) { *o = Opts{} }, "every quantity is off"},
		{"ambient in Celsius by mistake", func(o *Opts) { o.Ambient = 21 * physic.Celsius }, "-40°C to 85°C"},
		{"offset as a temperature by mistake", func(o *Opts) { o.TemperatureOffset = fromCelsius(2) }, "-50 K to 50 K"},
		{"offset", func(o *Opts) { o.TemperatureOffset = -2 * physic.Kelvin }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := DefaultOpts
				c.change(&o)
				chip := indoors()
				_, err := NewI2C(chip, 0, &o)
				if c.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q in it", err, c.want)
				}
				if chip.transfers != 0 {
					t.Error("used the bus before the options were checked")
				}
			})
		})
	}
	if _, err := NewI2C(indoors(), 0x40, nil); err == nil || !strings.Contains(err.Error(), "0x76") {
		t.Errorf("address 0x40: got %v", err)
	}
}

func TestFilterString(t *testing.T) {
	for f, want := range map[Filter]string{NoFilter: "NoFilter", F1: "F1", F3: "F3", F7: "F7", F15: "F15", F31: "F31", F63: "F63", F127: "F127", 9: "Filter(9)"} {
		if got := f.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestOversamplingCodes: the type is borrowed, the codes are ours to check.
func TestOversamplingCodes(t *testing.T) {
	for i, o := range []Oversampling{Off, O1x, O2x, O4x, O8x, O16x} {
		if int(o) != i {
			t.Errorf("%s has code %d, the chip's is %d", o, o, i)
		}
	}
}

func TestSense_gasOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, noGas())
		m := Measurement{Gas: 1, GasValid: true, HeaterStable: true}
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if m.Gas != 0 || m.GasValid || m.HeaterStable {
			t.Errorf("gas reported: %+v", m)
		}
		if c.regs[regCtrlGas0] != heatOff || c.regs[regCtrlGas1] != 0 {
			t.Errorf("ctrl_gas_0 is %#02x, ctrl_gas_1 %#02x: the heater is not off", c.regs[regCtrlGas0], c.regs[regCtrlGas1])
		}
		checkRules(t, c)
	})
}

func TestSense_skipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := noGas()
		o.Pressure, o.Humidity = Off, Off
		d := open(t, indoors(), o)
		var m Measurement
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if m.Temperature == 0 || m.Pressure != 0 || m.Humidity != 0 {
			t.Errorf("got %+v, want a temperature only", m)
		}
	})
}

// TestSense_heaterFollowsTemperature: the first setting takes Opts.Ambient, the
// next ones the temperature measured before, without the offset.
func TestSense_heaterFollowsTemperature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		o := DefaultOpts
		o.Ambient = fromCelsius(-40)
		d := open(t, c, &o)
		for i, ambient := range []float64{-40, 0, 0} {
			var m Measurement
			if err := d.Sense(&m); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if d.cal.heaterCode(320, -40) == d.cal.heaterCode(320, m.Temperature.Celsius()) {
					t.Fatal("this case cannot tell the two")
				}
			} else {
				ambient = m.Temperature.Celsius()
			}
			if got, want := c.written[regResHeat0], d.cal.heaterCode(320, ambient); got != want {
				t.Errorf("measurement %d: res_heat_0 is %d, want %d for %.1f °C", i, got, want, ambient)
			}
		}
	})
}

func TestSense_ambientDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		var m Measurement
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if got, want := c.written[regResHeat0], d.cal.heaterCode(320, 25); got != want {
			t.Errorf("res_heat_0 is %d, want %d for 25 °C", got, want)
		}
	})
}

func TestSense_offset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plain, warmer Measurement
		if err := open(t, indoors(), noGas()).Sense(&plain); err != nil {
			t.Fatal(err)
		}
		o := noGas()
		o.TemperatureOffset = 1990 * physic.MilliKelvin
		c := indoors()
		d := open(t, c, o)
		if err := d.Sense(&warmer); err != nil {
			t.Fatal(err)
		}
		diff := warmer.Temperature - plain.Temperature - o.TemperatureOffset
		if diff < -10 || diff > 10 { // nK
			t.Errorf("temperature is off by %d nK", diff)
		}
		tFine := warmer.Temperature.Celsius() * finePerCelsius
		humidity := d.cal.humidity(uint16(c.field[8])<<8|uint16(c.field[9]), tFine)
		if got := float64(warmer.Humidity) / float64(physic.PercentRH); math.Abs(got-humidity) > 0.001 || warmer.Humidity == plain.Humidity {
			t.Errorf("humidity is %g %%, want %g %% for the corrected temperature", got, humidity)
		}
		if warmer.Pressure == plain.Pressure {
			t.Error("pressure does not follow the temperature")
		}
		if got, want := d.ambient, plain.Temperature.Celsius(); got < want-0.01 || got > want+0.01 {
			t.Errorf("the heater is set for %.2f °C; the chip is at %.2f °C", got, want)
		}
	})
}

func TestSense_slowChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		c.slow = 95 * time.Millisecond
		if err := d.Sense(&Measurement{}); err != nil {
			t.Error(err)
		}
		checkRules(t, c)
	})
}

func TestSense_noData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		if err := d.Sense(&Measurement{}); err != nil {
			t.Fatal(err)
		}
		c.never = true
		m := Measurement{Gas: 7}
		start := time.Now()
		if err := d.Sense(&m); !errors.Is(err, ErrNoData) {
			t.Fatalf("got %v, want ErrNoData", err)
		}
		if m.Gas != 7 {
			t.Error("the measurement was changed by a failure")
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("gave up after %s", took)
		}
		c.never = false
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if c.resets != 2 {
			t.Errorf("%d soft resets, want 2", c.resets)
		}
		checkRules(t, c)
	})
}

func TestSense_implausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		c.reset[regCalib1+4], c.reset[regCalib1+5] = 0, 0 // par_p1: the pressure is divided by it
		d := open(t, c, nil)
		if err := d.Sense(&Measurement{}); !errors.Is(err, ErrImplausible) {
			t.Errorf("got %v, want ErrImplausible", err)
		}
	})
}

// afterReset is a field of the values after power-on, flagged as new: what a chip that
// skipped its conversions answers (§5.3.2).
var afterReset = [lenField]byte{statusNewData, 0, 0x80, 0, 0, 0x80, 0, 0, 0x80, 0}

// TestSense_notMeasured is Adafruit_BME680#57, Bosch-BME68x-Library#7 and esphome/issues#15: 33.15 °C and 100 %,
// as new data. And esphome/issues#741, sensors-software#926, bme680-raspberry#7: fields of zeroes, shifted bytes.
func TestSense_notMeasured(t *testing.T) {
	for _, c := range []struct {
		name  string
		field func(f *[lenField]byte)
		want  error
	}{
		{"everything skipped", func(f *[lenField]byte) { *f = afterReset }, ErrNoData},
		{"temperature skipped", func(f *[lenField]byte) { copy(f[5:8], afterReset[5:]) }, ErrNoData},
		{"pressure skipped", func(f *[lenField]byte) { copy(f[2:5], afterReset[2:]) }, ErrNoData},
		{"humidity skipped", func(f *[lenField]byte) { copy(f[8:10], afterReset[8:]) }, ErrNoData},
		{"zeroes", func(f *[lenField]byte) { clear(f[2:]) }, ErrImplausible},
		{"ones", func(f *[lenField]byte) { copy(f[2:], "\xFF\xFF\xF0\xFF\xFF\xF0\xFF\xFF") }, ErrImplausible},
		{"humidity of zeroes", func(f *[lenField]byte) { f[8], f[9] = 0, 0 }, ErrImplausible},
		{"humidity of ones", func(f *[lenField]byte) { f[8], f[9] = 0xFF, 0xFF }, ErrImplausible},
		{"a byte left out", func(f *[lenField]byte) { copy(f[2:], f[3:]) }, ErrImplausible},
		{"two bytes left out", func(f *[lenField]byte) { copy(f[2:], f[4:]) }, ErrImplausible},
		{"a byte twice", func(f *[lenField]byte) { copy(f[3:], bytes.Clone(f[2:])) }, ErrImplausible},
		{"a byte of the temperature twice", func(f *[lenField]byte) { copy(f[6:], bytes.Clone(f[5:])); f[7] |= 1 }, ErrImplausible},
		{"low bytes first", func(f *[lenField]byte) { f[5], f[6] = 0x01, 0xF5 }, ErrImplausible},
		{"pressure of a misread byte", func(f *[lenField]byte) { f[2], f[3] = 0x05, 0 }, ErrImplausible},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := indoors()
				d := open(t, chip, nil)
				var want Measurement
				if err := d.Sense(&want); err != nil {
					t.Fatal(err)
				}
				bad := chip.field
				c.field(&bad)
				if bad == chip.field {
					t.Fatal("this case changes nothing")
				}

				// Once: measured again, with all settings written again.
				chip.once = &bad
				clear(chip.written)
				var m Measurement
				if err := d.Sense(&m); err != nil || m != want {
					t.Errorf("once: %+v (%v), want %+v", m, err, want)
				}
				if chip.resets != 2 || chip.written[regCtrlHum] != byte(O2x) || chip.written[regConfig] != byte(F3)<<2 {
					t.Errorf("%d soft resets, settings %v", chip.resets, chip.written)
				}

				// Always: an error, and no measurement.
				good := chip.field
				chip.field = bad
				m = Measurement{Gas: 7}
				err := d.Sense(&m)
				if !errors.Is(err, c.want) || m != (Measurement{Gas: 7}) {
					t.Errorf("always: %+v, error %v, want %v", m, err, c.want)
				}
				if err != nil && !strings.Contains(err.Error(), "check the sensor's supply") {
					t.Errorf("%v: does not say what to check", err)
				}
				chip.field = good
				if err := d.Sense(&m); err != nil || m != want {
					t.Errorf("healed: %+v (%v), want %+v", m, err, want)
				}
				checkRules(t, chip)
			})
		})
	}
}

// A quantity that is off reads as skipped: that is no fault.
func TestSense_offIsNotSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := noGas()
		o.Pressure, o.Humidity = Off, Off
		c := indoors()
		copy(c.field[2:5], afterReset[2:])
		copy(c.field[8:10], afterReset[8:])
		if err := open(t, c, o).Sense(&Measurement{}); err != nil || c.resets != 1 {
			t.Errorf("%d resets: %v", c.resets, err)
		}
	})
}

// A chip that lost its supply during the measurement sleeps: it is started again.
func TestSense_lostDuringTheMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		c.forget = 1
		var m Measurement
		if err := d.Sense(&m); err != nil || c.resets != 2 {
			t.Errorf("%d resets: %v", c.resets, err)
		}
		c.forget = -1
		if err := d.Sense(&m); !errors.Is(err, ErrNoData) {
			t.Errorf("got %v, want ErrNoData", err)
		}
		checkRules(t, c)
	})
}

// TestSense_range: what the chip may work at is more than the datasheet promises, and less than the formulas give.
func TestSense_range(t *testing.T) {
	field := func(t, p float64) (f [lenField]byte) {
		adc := func(want float64, of func(uint32) float64) uint32 {
			best := sort.Search(1<<20, func(i int) bool { return (of(uint32(i)) >= want) == (of(1<<20-1) > of(0)) })
			return uint32(best)
		}
		a := adc(t, func(a uint32) float64 { return golden.tFine(a) / finePerCelsius })
		b := adc(p, func(a uint32) float64 {
			return golden.pressure(a, golden.tFine(adc(t, func(a uint32) float64 { return golden.tFine(a) / finePerCelsius })))
		})
		f = [lenField]byte{statusNewData, 0, byte(b >> 12), byte(b >> 4), byte(b << 4), byte(a >> 12), byte(a >> 4), byte(a << 4), 0x4A, 0x4B}
		return f
	}
	for _, c := range []struct {
		name  string
		t, p  float64 // °C, Pa
		wrong bool
	}{
		{"indoors", 21, 101325, false},
		{"a balloon at 20 km", -56, 5000, false},
		{"a balloon at 30 km", -46, 1200, false},
		{"the Dead Sea", 45, 106500, false},
		{"the coldest that the chip measures", -40, 30000, false},
		{"the hottest that the chip measures", 85, 110000, false},
		{"colder than anywhere", -95, 101325, true},
		{"boiling", 120, 101325, true},
		{"vacuum", 21, 500, true},
		{"under water", 21, 140000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &Dev{opts: *noGas(), cal: golden, ambient: 25}
			f := field(c.t, c.p)
			var m Measurement
			err := d.decode(&m, &f)
			if c.wrong {
				if !errors.Is(err, ErrImplausible) {
					t.Errorf("got %v and %v (%v), want ErrImplausible", m.Temperature, m.Pressure, err)
				}
				return
			}
			if err != nil || math.Abs(m.Temperature.Celsius()-c.t) > 0.01 || math.Abs(float64(m.Pressure)/float64(physic.Pascal)-c.p) > 2 {
				t.Errorf("got %v and %v (%v), want %g °C and %g Pa", m.Temperature, m.Pressure, err, c.t, c.p)
			}
		})
	}
}

// The offset is the user's: it does not make a measurement implausible.
func TestSense_rangeWithoutTheOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, offset := range []physic.Temperature{-maxOffset, maxOffset} {
			o := noGas()
			o.TemperatureOffset = offset
			if err := open(t, indoors(), o).Sense(&Measurement{}); err != nil {
				t.Errorf("%v: %v", offset, err)
			}
		}
	})
}

// TestSense_partlyBlankCalibration: one word of zeroes or ones makes a quantity constant, 0 °C or 0 %, and plausible.
func TestSense_partlyBlankCalibration(t *testing.T) {
	for name, at := range map[string][]int{
		"par_t1": {0xE9, 0xEA}, "par_t2": {0x8A, 0x8B}, "par_p1": {0x8E, 0x8F}, "par_h1": {0xE2, 0xE3}, "par_h2": {0xE1, 0xE2},
		"everything about temperature": {0xE9, 0xEA, 0x8A, 0x8B, 0x8C},
		"everything about humidity":    {0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8},
	} {
		for _, v := range []byte{0x00, 0xFF} {
			t.Run(fmt.Sprintf("%s is %#02x", name, v), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := indoors()
					good := chip.reset
					for _, reg := range at {
						chip.reset[reg] = v
					}
					d := open(t, chip, nil)
					if err := d.Sense(&Measurement{}); !errors.Is(err, ErrImplausible) || !strings.Contains(err.Error(), "calibration") {
						t.Errorf("got %v, want ErrImplausible for the calibration", err)
					}
					if chip.starts != 0 {
						t.Error("measured, and heated, by a calibration that makes no sense")
					}
					chip.reset = good // the next Sense reads it again
					if err := d.Sense(&Measurement{}); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestSense_busErrors: a measurement has 3 transfers; how many in a row may fail?
func TestSense_busErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		nack   int
		resets int // beside the first
		fails  bool
	}{
		{"one transfer", 1, 0, false},
		{"two transfers", 2, 0, false},
		{"three transfers", 3, 0, false},
		{"five transfers", 5, 1, false},
		{"seven transfers", 7, 1, false},
		{"eight transfers", 8, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := indoors()
				d := open(t, chip, nil)
				var want, m Measurement
				if err := d.Sense(&want); err != nil {
					t.Fatal(err)
				}
				chip.nack = c.nack
				err := d.Sense(&m)
				if c.fails {
					if !errors.Is(err, errNACK) {
						t.Fatalf("got %v, want it to wrap %v", err, errNACK)
					}
					for _, part := range []string{"fake", "0x76", "wires", "i2cdetect"} {
						if !strings.Contains(err.Error(), part) {
							t.Errorf("%q is not in: %v", part, err)
						}
					}
					if m != (Measurement{}) {
						t.Error("the measurement was changed by a failure")
					}
					err = d.Sense(&m) // heals by itself
				}
				if err != nil {
					t.Fatal(err)
				}
				if m != want {
					t.Errorf("got %+v, want %+v", m, want)
				}
				if !c.fails && chip.resets != 1+c.resets {
					t.Errorf("%d soft resets, want %d", chip.resets, 1+c.resets)
				}
				checkRules(t, chip)
			})
		})
	}
}

// TestSense_vanishes: while the chip is away another one takes its place, with
// another calibration.
func TestSense_vanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		for range 5 {
			c.gone = true
			start := time.Now()
			if err := d.Sense(&Measurement{}); !errors.Is(err, errNACK) {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(start); took > 100*time.Millisecond {
				t.Errorf("noticed after %s", took)
			}
		}
		c.gone = false
		other := vectors[2]
		if other.Variant != variantHigh {
			t.Fatal("the case should be a BME688")
		}
		fresh := newChip(0x76, other.Registers, other.Field0)
		c.regs, c.reset, c.field = fresh.regs, fresh.reset, fresh.field
		var m Measurement
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if got := m.Temperature.Celsius() - other.Want.Temperature; got < -0.01 || got > 0.01 {
			t.Errorf("temperature off by %g °C: the new chip's calibration was not read", got)
		}
		if got := d.String(); got != "BME688{fake, 0x76}" {
			t.Errorf("got %s", got)
		}
		checkRules(t, c)
	})
}

// TestSense_returnsAsOther: what comes back is not the chip that was there.
func TestSense_returnsAsOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		c.gone = true
		if err := d.Sense(&Measurement{}); err == nil {
			t.Fatal("no error from a chip that is gone")
		}
		c.gone = false
		c.reset[regChipID] = 0x60
		c.regs = c.reset
		if err := d.Sense(&Measurement{}); err == nil || !strings.Contains(err.Error(), "BME280") {
			t.Errorf("got %v, want the other chip's name", err)
		}
		if c.resets != 1 {
			t.Error("reset a chip that is not ours")
		}
	})
}

// TestSense_powerLoss: a chip that lost its supply between two measurements has
// forgotten its settings, not its calibration.
func TestSense_powerLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		var before, after Measurement
		if err := d.Sense(&before); err != nil {
			t.Fatal(err)
		}
		c.set(func() { c.regs = c.reset })
		if err := d.Sense(&after); err != nil {
			t.Fatal(err)
		}
		if before != after {
			t.Errorf("got %+v, want %+v", after, before)
		}
	})
}

// TestSense_hangingBus: each failing transfer takes the adapter's time-out.
func TestSense_hangingBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, nil)
		c.gone, c.hang = true, 2*time.Second
		start := time.Now()
		if err := d.Sense(&Measurement{}); err == nil {
			t.Fatal("no error from a bus that hangs")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("gave up after %s", took)
		}
	})
}

func TestHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		o := DefaultOpts
		o.HeaterDuration = 4 * time.Second
		d := open(t, c, &o)
		done := make(chan error)
		start := time.Now()
		go func() { done <- d.Sense(&Measurement{}) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if err := d.Halt(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, ErrHalted) {
			t.Errorf("got %v, want ErrHalted", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("Sense ended after %s", took)
		}
		if c.regs[regCtrlMeas]&3 != 0 || c.regs[regCtrlGas0] != heatOff || c.regs[regCtrlGas1] != 0 {
			t.Error("the chip is not asleep with its heater off")
		}
		// It can be used again, and the heater with it.
		var m Measurement
		if err := d.Sense(&m); err != nil {
			t.Fatal(err)
		}
		if !m.GasValid || c.regs[regCtrlGas0] != 0 {
			t.Error("the heater stayed off after Halt")
		}
		c.gone = true
		if err := d.Halt(); !errors.Is(err, errNACK) {
			t.Errorf("Halt without a chip: got %v", err)
		}
	})
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		d := open(t, c, noGas())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					var m Measurement
					if err := d.Sense(&m); err != nil && !errors.Is(err, ErrHalted) {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for range 20 {
				if err := d.Halt(); err != nil {
					t.Error(err)
				}
				_ = d.String()
				time.Sleep(7 * time.Millisecond)
			}
		})
		wg.Wait()
	})
}

// TestPlayback holds the exact bytes of a start and one measurement.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := indoors()
		cal1 := c.reset[regCalib1 : regCalib1+lenCalib1]
		cal2 := c.reset[regCalib2 : regCalib2+lenCalib2]
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x61}},
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x61}},
			{Addr: 0x76, W: []byte{0xE0, 0xB6}},
			{Addr: 0x76, W: []byte{0xF0}, R: []byte{0x00}},
			{Addr: 0x76, W: []byte{0x8A}, R: cal1},
			{Addr: 0x76, W: []byte{0xE1}, R: cal2},
			{Addr: 0x76, W: []byte{0x00}, R: c.reset[:5]},
			{Addr: 0x76, W: []byte{0x70, 0x08, 0x71, 0x00, 0x72, 0x01, 0x75, 0x00}},
			{Addr: 0x76, W: []byte{0x74, 0x25}},
			{Addr: 0x76, W: []byte{0x1D}, R: make([]byte, 17)}, // not yet
			{Addr: 0x76, W: []byte{0x1D}, R: c.field[:]},
			{Addr: 0x76, W: []byte{0x71, 0x00, 0x70, 0x08}},
			{Addr: 0x76, W: []byte{0x74, 0x24}},
		}}
		d, err := NewI2C(bus, 0x76, noGas())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Sense(&Measurement{}); err != nil {
			t.Fatal(err)
		}
		if err := d.Halt(); err != nil {
			t.Fatal(err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}
