package mock

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

// reference is a case computed by the manufacturer's own driver (Bosch BME68x
// SensorAPI 4.4.8).
type reference struct {
	Registers, Field0 string
	Variant           byte
	OSHum             byte `json:"os_hum"`
	OSPres            byte `json:"os_pres"`
	OSTemp            byte `json:"os_temp"`
	registers         [256]byte
	field             []byte
	Want              struct {
		Temperature float64 `json:"temperature_c"`
		Pressure    float64 `json:"pressure_pa"`
		Humidity    float64 `json:"humidity_rh"`
		Gas         float64 `json:"gas_ohm"`
		Duration    int     `json:"tph_duration_us"`
	}
}

func references(t *testing.T) []reference {
	t.Helper()
	text, err := os.ReadFile("testdata/compensation.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []reference
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		r, err := hex.DecodeString(list[i].Registers)
		if err != nil || len(r) != 256 {
			t.Fatalf("case %d: %v, %d registers", i, err, len(r))
		}
		copy(list[i].registers[:], r)
		if list[i].field, err = hex.DecodeString(list[i].Field0); err != nil || len(list[i].field) != 17 {
			t.Fatalf("case %d: %v, %d bytes", i, err, len(list[i].field))
		}
	}
	if len(list) < 20 {
		t.Fatalf("%d cases, want 20", len(list))
	}
	return list
}

// compensate reads a field as a driver would.
func compensate(c calibration, variant byte, f []byte) Weather {
	fine := c.fine(float64(int(f[5])<<12 | int(f[6])<<4 | int(f[7])>>4))
	gas := f[13:]
	if variant != 0 {
		gas = f[15:]
	}
	return Weather{
		Temperature: fine / 5120,
		Pressure:    c.pressure(float64(int(f[2])<<12|int(f[3])<<4|int(f[4])>>4), fine),
		Humidity:    c.humidity(float64(int(f[8])<<8|int(f[9])), fine),
		Gas:         c.gas(variant, float64(int(gas[0])<<2|int(gas[1])>>6), int(gas[1]&0xF)),
	}
}

// near compares two weathers with the resolution of the chip's converters.
func near(t *testing.T, got, want Weather) {
	t.Helper()
	for _, q := range []struct {
		name            string
		got, want, most float64
	}{
		{"temperature (°C)", got.Temperature, want.Temperature, 0.005},
		{"pressure (Pa)", got.Pressure, want.Pressure, 1},
		{"humidity (%RH)", got.Humidity, want.Humidity, 0.01},
		{"gas (Ω)", got.Gas, want.Gas, want.Gas * 0.001},
	} {
		if !(math.Abs(q.got-q.want) <= q.most) {
			t.Errorf("%s: got %g, want %g ± %g", q.name, q.got, q.want, q.most)
		}
	}
}

func TestCompensationAgreesWithReference(t *testing.T) {
	for i, r := range references(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			near(t, compensate(decode(&r.registers), r.Variant, r.field),
				Weather{r.Want.Temperature, r.Want.Pressure, r.Want.Humidity, r.Want.Gas})
		})
	}
}

func TestCalibrationSurvivesEncoding(t *testing.T) {
	for seed := range uint64(100) {
		c := plausible(seed)
		var r [256]byte
		c.encode(&r)
		if got := decode(&r); got != c {
			t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, c)
		}
	}
}

func TestMeasureInvertsCompensation(t *testing.T) {
	for _, row := range []struct {
		name string
		Weather
	}{
		{"living room", Weather{21.5, 101325, 45, 50000}},
		{"freezing night", Weather{-19, 103500, 85, 200000}},
		{"hot attic", Weather{58, 98000, 12, 9000}},
		{"mountain hut", Weather{4, 62000, 60, 400000}},
		{"bathroom", Weather{27, 100400, 97, 30000}},
		{"cheese fondue", Weather{24, 96000, 55, 1800}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for variant := range byte(2) {
				for seed := range uint64(20) {
					d := NewBME680(Environment{Variant: variant}, seed, nil)
					d.SetWeather(row.Weather)
					s := d.calibration.measure(row.Weather, variant)
					fine := d.calibration.fine(float64(s.temperature))
					near(t, Weather{
						fine / 5120,
						d.calibration.pressure(float64(s.pressure), fine),
						d.calibration.humidity(float64(s.humidity), fine),
						d.calibration.gas(variant, float64(s.gas), s.span),
					}, row.Weather)
				}
			}
		})
	}
}

func TestWeatherWandersSlowlyAndPlausibly(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(10) {
		low, high := wander(seed, at), wander(seed, at)
		for minute := range 60 * 24 * 7 {
			now := at.Add(time.Duration(minute) * time.Minute)
			w, later := wander(seed, now), wander(seed, now.Add(time.Second))
			if w.Temperature < 15 || w.Temperature > 30 || w.Humidity < 20 || w.Humidity > 80 ||
				w.Pressure < 95000 || w.Pressure > 105000 || w.Gas < 10000 || w.Gas > 300000 {
				t.Fatalf("seed %d at %v: %+v is no room's weather", seed, now, w)
			}
			if math.Abs(later.Temperature-w.Temperature) > 0.003 || math.Abs(later.Pressure-w.Pressure) > 0.1 ||
				math.Abs(later.Humidity-w.Humidity) > 0.02 || math.Abs(later.Gas-w.Gas) > w.Gas/1000 {
				t.Fatalf("seed %d at %v: from %+v to %+v in a second", seed, now, w, later)
			}
			low.Temperature, high.Temperature = min(low.Temperature, w.Temperature), max(high.Temperature, w.Temperature)
		}
		if high.Temperature-low.Temperature < 1 {
			t.Errorf("seed %d: the temperature moves by %g °C in a week", seed, high.Temperature-low.Temperature)
		}
	}
	if wander(1, at) == wander(2, at) || wander(1, at) != wander(1, at) {
		t.Error("the weather must depend on the seed, and on nothing else but the time")
	}
}
