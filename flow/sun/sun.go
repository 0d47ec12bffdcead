// Package sun computes when the sun rises and sets, by the equations of NOAA's
// solar calculator, which follow Meeus, Astronomical Algorithms. They are right to
// a minute between 72° north and south, as far as the air refracts as it does on
// average; hills are not known to them.
package sun

import (
	"math"
	"time"
)

// zenith is the angle at which the upper edge of the sun touches the horizon: half
// of the sun's width, 16′, and the refraction there, 34′, below it.
const zenith = 90.833

// Rise returns when the sun rises on a date at a place, in degrees north and east.
// ok is false if it does not, because it is up or down all day.
func Rise(year int, month time.Month, day int, lat, lon float64) (at time.Time, ok bool) {
	return crossing(year, month, day, lat, lon, 1)
}

// Set returns when the sun sets, as Rise does.
func Set(year int, month time.Month, day int, lat, lon float64) (at time.Time, ok bool) {
	return crossing(year, month, day, lat, lon, -1)
}

func crossing(year int, month time.Month, day int, lat, lon, side float64) (time.Time, bool) {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	minutes := 720 - 4*lon // noon at the place, by the mean sun
	for range 3 {          // the sun moves on between noon and the moment that is sought
		declination, equation := position(midnight, minutes)
		hour, ok := hourAngle(lat, declination)
		if !ok {
			return time.Time{}, false
		}
		minutes = 720 - 4*(lon+side*hour) - equation
	}
	return midnight.Add(time.Duration(minutes * float64(time.Minute))).Truncate(time.Second), true
}

// hourAngle is the angle in degrees between noon and the horizon.
func hourAngle(lat, declination float64) (float64, bool) {
	c := cos(zenith)/(cos(lat)*cos(declination)) - math.Tan(rad(lat))*math.Tan(rad(declination))
	if c < -1 || c > 1 || math.IsNaN(c) {
		return 0, false
	}
	return math.Acos(c) * 180 / math.Pi, true
}

// position is the sun's declination in degrees and the equation of time in
// minutes, so many minutes after a midnight of UTC.
func position(midnight time.Time, minutes float64) (declination, equation float64) {
	days := float64(midnight.Unix())/86400 + minutes/1440 - 10957.5 // since J2000.0, 2000-01-01 12:00
	t := days / 36525
	longitude := math.Mod(280.46646+t*(36000.76983+t*0.0003032), 360)
	anomaly := 357.52911 + t*(35999.05029-0.0001537*t)
	eccentricity := 0.016708634 - t*(0.000042037+0.0000001267*t)
	center := sin(anomaly)*(1.914602-t*(0.004817+0.000014*t)) + sin(2*anomaly)*(0.019993-0.000101*t) + sin(3*anomaly)*0.000289
	node := 125.04 - 1934.136*t
	apparent := longitude + center - 0.00569 - 0.00478*sin(node)
	obliquity := 23 + (26+(21.448-t*(46.815+t*(0.00059-t*0.001813)))/60)/60 + 0.00256*cos(node)
	declination = math.Asin(sin(obliquity)*sin(apparent)) * 180 / math.Pi
	y := math.Pow(math.Tan(rad(obliquity/2)), 2)
	equation = 4 * 180 / math.Pi * (y*sin(2*longitude) - 2*eccentricity*sin(anomaly) + 4*eccentricity*y*sin(anomaly)*cos(2*longitude) -
		y*y/2*sin(4*longitude) - 1.25*eccentricity*eccentricity*sin(2*anomaly))
	return declination, equation
}

func rad(degrees float64) float64 { return degrees * math.Pi / 180 }
func sin(degrees float64) float64 { return math.Sin(rad(degrees)) }
func cos(degrees float64) float64 { return math.Cos(rad(degrees)) }
