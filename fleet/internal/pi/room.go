package pi

import (
	"math"
	"time"

	"periph.io/x/conn/v3/physic"

	"pithings/fleet/internal/splitmix"
	"pithings/sensors/bme680"
	"pithings/things"
)

// room is the air of a Pi's room, so long after its start: a day's and a night's swing, the slow
// waves of the air pressure, and the little unrest of people and doors. No value moves by more
// than its noise in a second. at is the time that the reading has.
func room(seed uint64, since time.Duration, at time.Time) things.Reading {
	n := seed
	wave := func(amplitude float64, period time.Duration) float64 {
		n += splitmix.Step
		return amplitude * math.Sin(2*math.Pi*(since.Seconds()/period.Seconds()+splitmix.Unit(n)))
	}
	celsius := 21.5 + wave(2.5, 24*time.Hour) + wave(0.4, 47*time.Minute) + wave(0.05, 5*time.Minute)
	humidity := 48 - 2*(celsius-21.5) + wave(4, 7*time.Hour) + wave(0.5, 13*time.Minute)
	pascal := 101300 + wave(900, 89*time.Hour) + wave(60, 745*time.Minute) + wave(3, 9*time.Minute)
	ohm := 60000 * math.Exp(wave(0.5, 5*time.Hour)+wave(0.1, 31*time.Minute)-(humidity-48)/100)
	m := bme680.Measurement{
		Env: physic.Env{
			Temperature: physic.ZeroCelsius + physic.Temperature(celsius*float64(physic.Kelvin)),
			Humidity:    physic.RelativeHumidity(humidity * float64(physic.PercentRH)),
			Pressure:    physic.Pressure(pascal * float64(physic.Pascal)),
		},
		Gas:      physic.ElectricResistance(ohm * float64(physic.Ohm)),
		GasValid: true, HeaterStable: true,
	}
	return things.NewReading(at, &m, &bme680.DefaultOpts)
}
