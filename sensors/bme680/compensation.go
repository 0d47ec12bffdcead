package bme680

import "math"

// The formulas of §3.3 in floating point. The products are grouped so that each
// parameter is scaled to its unit first; the results differ from Bosch's single
// precision by less than the sensor's resolution.

// tFine returns the temperature in 1/5120 °C (§3.3.1), the form in which
// pressure and humidity use it.
func (c *calibration) tFine(adc uint32) float64 {
	x := float64(adc)/16 - float64(c.t1) // par_t1 is in units of 16
	return x/1024*float64(c.t2) + x/8192*x/8192*16*float64(c.t3)
}

// finePerCelsius is how many units of t_fine make 1 °C.
const finePerCelsius = 5120

// pressure returns Pa (§3.3.2). The result is not finite when the calibration
// makes no sense.
func (c *calibration) pressure(adc uint32, tFine float64) float64 {
	t := tFine/2 - 64000
	offset := t*t*float64(c.p6)/(1<<17) + t*float64(c.p5)*2
	offset = offset/4 + float64(c.p4)*(1<<16)
	sensitivity := (float64(c.p3)*t*t/(1<<14) + float64(c.p2)*t) / (1 << 19)
	sensitivity = (1 + sensitivity/(1<<15)) * float64(c.p1)

	p := (1<<20 - float64(adc) - offset/(1<<12)) * 6250 / sensitivity
	square := float64(c.p9) * p * p / (1 << 31)
	linear := float64(c.p8) * p / (1 << 15)
	k := p / (1 << 8)
	cube := k * k * k * float64(c.p10) / (1 << 17)
	return p + (square+linear+cube+float64(c.p7)*(1<<7))/16
}

// humidity returns %RH, 0 to 100 (§3.3.3).
func (c *calibration) humidity(adc uint16, tFine float64) float64 {
	t := tFine / finePerCelsius
	x := float64(adc) - (float64(c.h1)*16 + float64(c.h3)/2*t)
	h := x * float64(c.h2) / (1 << 18) *
		(1 + float64(c.h4)/(1<<14)*t + float64(c.h5)/(1<<20)*t*t)
	h += (float64(c.h6)/(1<<14) + float64(c.h7)/(1<<21)*t) * h * h
	return min(max(h, 0), 100)
}

// Corrections of the BME680's gas ranges in per cent (§3.4.1, table 16: the two
// constants arrays, as deviations from one).
var (
	gasGain  = [16]float64{5: -1, 7: -0.8, 10: -0.2, 11: -0.5, 13: -1}
	gasScale = [16]float64{4: 0.1, 5: 0.7, 7: -0.8, 8: -0.1}
)

// gasLow returns the gas resistance of a BME680 in Ω (§3.4.1). The divisor is
// positive for every adc below 1024 and range below 16.
func (c *calibration) gasLow(adc uint16, gasRange uint8) float64 {
	full := (1340 + 5*float64(c.rangeErr)) * (1 + gasGain[gasRange]/100)
	step := (1 + gasScale[gasRange]/100) * float64(uint32(1)<<gasRange) / 8e6
	return 1 / (step * ((float64(adc)-512)/full + 1))
}

// gasHigh returns the gas resistance of a BME688 in Ω (BST-BME688-DS000 §3.4.1).
func gasHigh(adc uint16, gasRange uint8) float64 {
	return 1e6 * float64(uint32(1)<<18>>gasRange) / ((float64(adc)-512)*3 + 4096)
}

// heaterCode returns the value of res_heat_0 that heats to target °C in air of
// ambient °C (§3.3.5).
func (c *calibration) heaterCode(target, ambient float64) uint8 {
	r := (float64(c.gh1)/16 + 49) * (1 + (float64(c.gh2)/(1<<15)*0.0005+0.00235)*target)
	r += float64(c.gh3) / 1024 * ambient
	r *= 4 / (4 + float64(c.heatRange))
	r /= 1 + float64(c.heatVal)*0.002
	code := 3.4 * (r - 25)
	// Beyond its eight bits the code wraps, as in Bosch's driver: a heater that
	// cannot reach the target stays too cool and reports that it is not stable,
	// instead of getting all the power there is. The negation catches NaN.
	if !(code > 0 && code < math.MaxInt32) {
		return 0
	}
	return uint8(int32(code))
}

// waitCode returns the value of gas_wait_0 for ms milliseconds (§5.3.3): six
// bits, times 1, 4, 16 or 64, rounded down.
func waitCode(ms int64) uint8 {
	var factor uint8
	for ms > 63 && factor < 3 {
		ms /= 4
		factor++
	}
	return factor<<6 | uint8(min(max(ms, 0), 63))
}
