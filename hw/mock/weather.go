package mock

import (
	"math"
	"time"
)

// Weather is the air around an environment sensor.
type Weather struct {
	Temperature float64 // °C
	Pressure    float64 // Pa
	Humidity    float64 // %RH
	Gas         float64 // Ω of the heated gas sensor; more is cleaner air
}

// wander is a room's weather at a time: a day's and a night's swing, the air
// pressure's slow waves, and the little unrest of people and doors. It moves by
// less than 0.003 °C, 0.1 Pa, 0.02 %RH and 0.1 % of Ω in a second.
func wander(seed uint64, at time.Time) Weather {
	s := float64(at.UnixMilli()) / 1000
	n := uint64(0)
	wave := func(amplitude float64, period time.Duration) float64 {
		n++
		return amplitude * math.Sin(2*math.Pi*(s/period.Seconds()+unit(seed+n)))
	}
	var w Weather
	w.Temperature = 21.5 + wave(2.5, 24*time.Hour) + wave(0.4, 47*time.Minute) + wave(0.05, 5*time.Minute)
	w.Humidity = 48 - 2*(w.Temperature-21.5) + wave(4, 7*time.Hour) + wave(0.5, 13*time.Minute)
	w.Pressure = 101300 + wave(900, 89*time.Hour) + wave(60, 745*time.Minute) + wave(3, 9*time.Minute)
	w.Gas = 60000 * math.Exp(wave(0.5, 5*time.Hour)+wave(0.1, 31*time.Minute)-(w.Humidity-48)/100)
	return w
}

// unit is a number in [0, 1) that belongs to n (the mixing function of
// SplitMix64, Steele, Lea and Flood 2014).
func unit(n uint64) float64 {
	n += 0x9E3779B97F4A7C15
	n = (n ^ n>>30) * 0xBF58476D1CE4E5B9
	n = (n ^ n>>27) * 0x94D049BB133111EB
	return float64((n^n>>31)>>11) / (1 << 53)
}
