package mock

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// measureOnce runs a forced measurement as a driver does, and returns the
// field and how long the chip took.
func measureOnce(t *testing.T, d *BME680, osTemp, osPres, osHum byte, settings ...byte) ([]byte, time.Duration) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(settings) > 0 {
		must(d.Write(settings))
	}
	must(d.Write([]byte{regCtrlHum, osHum, regCtrl, osTemp<<5 | osPres<<2 | 1}))
	begun := time.Now()
	field := make([]byte, 17)
	for time.Since(begun) < 10*time.Second {
		must(d.Write([]byte{regField}))
		must(d.Read(field))
		if field[0]&newData != 0 {
			return field, time.Since(begun)
		}
		if field[0]&measuring == 0 {
			t.Fatalf("status %#x: neither measuring nor done", field[0])
		}
		if d.Register(regCtrl)&3 != 1 {
			t.Fatal("the chip sleeps before the measurement ended")
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the measurement does not end")
	return nil, 0
}

// heater is 300 °C or so for 100 ms, with the run_gas bit of the variant.
func heater(variant byte) []byte {
	return []byte{regResHeat, 0x73, regGasWait, 0x59, regCtrlGas + 1, 0x10 << variant}
}

func TestBME680MeasuresTheWeather(t *testing.T) {
	for variant, chip := range []string{"BME680", "BME688"} {
		t.Run(chip, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewBME680(Environment{Variant: byte(variant)}, 7, nil)
				for range 3 {
					time.Sleep(time.Hour)
					field, took := measureOnce(t, d, 4, 3, 2, heater(byte(variant))...)
					near(t, compensate(decode(&d.reg), byte(variant), field), d.Weather())
					gas := field[14+2*variant]
					if gas&(gasValid|heaterStable) != gasValid|heaterStable {
						t.Errorf("gas flags %#x, want valid and stable", gas)
					}
					if took < 130*time.Millisecond || took > 160*time.Millisecond {
						t.Errorf("took %v; 14 conversions and a heater of 100 ms need about 132 ms", took)
					}
				}
				if d.Register(regCtrl)&3 != 0 {
					t.Error("the chip must sleep after a forced measurement")
				}
			})
		})
	}
}

func TestBME680TakesNoLongerThanTheReferenceWaits(t *testing.T) {
	for i, r := range references(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewBME680(Environment{}, 1, nil)
				_, took := measureOnce(t, d, r.OSTemp, r.OSPres, r.OSHum, heater(0)...)
				took -= 100 * time.Millisecond
				most := time.Duration(r.Want.Duration) * time.Microsecond
				if took > most+time.Millisecond || took < most-3*time.Millisecond {
					t.Errorf("took %v, the reference driver waits %v", took, most)
				}
			})
		})
	}
}

func TestBME680GasFlags(t *testing.T) {
	for _, row := range []struct {
		name     string
		variant  byte
		settings []byte
		cold     bool
		want     byte
	}{
		{"heated", 0, heater(0), false, gasValid | heaterStable},
		{"BME688 heated", 1, heater(1), false, gasValid | heaterStable},
		{"BME680 with the run_gas bit of a BME688", 0, heater(1), false, 0},
		{"BME688 with the run_gas bit of a BME680", 1, heater(0), false, 0},
		{"heater too short", 0, []byte{regResHeat, 0x73, regGasWait, 0x0A, regCtrlGas + 1, 0x10}, false, gasValid},
		{"heater without a target", 0, []byte{regResHeat, 0, regGasWait, 0x59, regCtrlGas + 1, 0x10}, false, gasValid},
		{"heater switched off", 0, append(heater(0), regCtrlGas, 8), false, gasValid},
		{"heater broken", 0, heater(0), true, gasValid},
		{"second profile", 0, []byte{regResHeat + 1, 0x73, regGasWait + 1, 0x59, regCtrlGas + 1, 0x11}, false, gasValid | heaterStable},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewBME680(Environment{Variant: row.variant}, 3, nil)
				d.ColdHeater(row.cold)
				field, _ := measureOnce(t, d, 1, 1, 1, row.settings...)
				if got := field[14+2*row.variant] & (gasValid | heaterStable); got != row.want {
					t.Errorf("gas flags %#x, want %#x", got, row.want)
				}
			})
		})
	}
}

func TestBME680SkippedQuantitiesReadAsAfterReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		field, _ := measureOnce(t, NewBME680(Environment{}, 3, nil), 0, 0, 0)
		if string(field[2:10]) != "\x80\x00\x00\x80\x00\x00\x80\x00" {
			t.Errorf("field % x, want 0x80000, 0x80000 and 0x8000", field[2:10])
		}
	})
}

func TestBME680Registers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewBME680(Environment{}, 3, nil)
		before := d.reg
		for r := range 256 {
			if err := d.Write([]byte{byte(r), 0x14}); err != nil { // neither a measurement nor a reset
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for r, v := range d.reg {
			writable := r >= 0x50 && r <= 0x72 || r == regCtrl || r == regConfig
			if status := r >= regField && r < regField+17; !writable && !status && v != before[r] {
				t.Errorf("register %#x was written", r)
			}
		}
		if d.Register(regConfig) != 0x14 || d.Register(0x50) != 0x14 {
			t.Error("settings must stick")
		}

		wrapped := make([]byte, 300)
		if err := errors.Join(d.Write([]byte{regID}), d.Read(wrapped)); err != nil {
			t.Fatal(err)
		}
		if wrapped[0] != 0x61 || wrapped[256] != 0x61 || wrapped[0x8A-regID+256] != before[0x8A] {
			t.Error("a read must count the register up, and round")
		}

		if err := d.Write([]byte{regReset, resetCommand}); err != nil {
			t.Fatal(err)
		}
		if err := d.Read(wrapped[:1]); !errors.Is(err, ErrNACK) {
			t.Errorf("right after a reset: %v, want no acknowledge", err)
		}
		time.Sleep(startUp)
		if err := d.Read(wrapped[:1]); err != nil || d.Register(regConfig) != 0 || d.Register(0x50) != 0 {
			t.Errorf("after a reset: %v, config %#x", err, d.Register(regConfig))
		}
		if d.Register(0x8A) != before[0x8A] || d.Register(regID) != 0x61 {
			t.Error("a reset must leave calibration and id alone")
		}
	})
}

func TestBME680Faults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewBME680(Environment{ChipID: 0x60}, 3, nil)
		if d.Register(regID) != 0x60 {
			t.Error("does not pose as a BME280")
		}
		d.Pose(0x61)

		d.NACK(2)
		for i, want := range []error{ErrNACK, ErrNACK, nil} {
			if err := d.Write([]byte{regID}); !errors.Is(err, want) {
				t.Errorf("transfer %d of NACK(2): %v", i, err)
			}
		}
		d.SetPresent(false)
		if err := d.Write([]byte{regID}); !errors.Is(err, ErrNACK) {
			t.Errorf("absent: %v", err)
		}
		d.SetPresent(true)
		time.Sleep(startUp)

		d.Stick(true)
		if err := d.Write([]byte{regCtrl, 0x25}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := d.Register(regField); s&newData != 0 || s&measuring == 0 {
			t.Errorf("stuck: status %#x", s)
		}
		if err := d.Write([]byte{regCtrl, 0x24}); err != nil || d.Register(regCtrl)&3 != 1 {
			t.Errorf("a measurement was broken off: %v, mode %d", err, d.Register(regCtrl)&3)
		}
		d.PowerCycle()
		time.Sleep(startUp)
		d.Stick(false)
		if _, took := measureOnce(t, d, 1, 1, 1); took > 20*time.Millisecond {
			t.Errorf("healed, but took %v", took)
		}
		if d.Measurements() != 2 {
			t.Errorf("%d measurements counted, want 2", d.Measurements())
		}
	})
}

func TestBME680Dip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewBME680(Environment{}, 3, nil)
		d.PowerCycle()
		time.Sleep(startUp)
		if field := d.reg[regField+2 : regField+10]; string(field) != "\x80\x00\x00\x80\x00\x00\x80\x00" {
			t.Errorf("after power-on: % x", field)
		}
		d.Dip(1)
		for _, lost := range []bool{true, false} {
			if err := errors.Join(d.Write(heater(0)), d.Write([]byte{regCtrlHum, 1})); err != nil {
				t.Fatal(err)
			}
			if err := d.Write([]byte{regCtrl, 0x25}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if hum := d.Register(regField + 8); (hum == 0x80) != lost || d.Register(regField) != newData {
				t.Errorf("dip %t: humidity %#x, status %#x", lost, hum, d.Register(regField))
			}
			if gas := d.Register(regField + 14); (gas&gasValid == 0) != lost {
				t.Errorf("dip %t: gas %#x", lost, gas)
			}
		}
		d.Garble(1, func(field []byte) { clear(field[2:]) })
		for _, want := range []bool{true, false} {
			field, _ := measureOnce(t, d, 1, 1, 1)
			if garbled := field[5] == 0; garbled != want {
				t.Errorf("garbled %t, want %t: % x", garbled, want, field)
			}
		}
	})
}

// FuzzBME680 writes anything to the chip; it must still answer.
func FuzzBME680(f *testing.F) {
	f.Add([]byte{regCtrlHum, 1, regCtrl, 0x25, regField})
	f.Add([]byte{regReset, resetCommand, regID})
	f.Add([]byte{regCtrlGas + 1, 0xFF, regCtrl, 0xFF})
	f.Fuzz(func(t *testing.T, p []byte) {
		synctest.Test(t, func(t *testing.T) {
			d := NewBME680(Environment{Variant: byte(len(p) & 1)}, 1, nil)
			_ = d.Write(p)
			time.Sleep(10 * time.Second)
			out := make([]byte, 1)
			if err := errors.Join(d.Write([]byte{regID}), d.Read(out)); err != nil || out[0] != 0x61 {
				t.Fatalf("after % x: %v, id %#x", p, err, out[0])
			}
		})
	})
}
