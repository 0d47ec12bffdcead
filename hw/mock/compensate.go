package mock

import "math"

// calibration holds the coefficients of one chip, and compensates as the
// datasheet says (Bosch BST-BME680-DS001, section 3.3, floating point). It is
// here to be inverted: the model knows the weather and needs the raw numbers.
type calibration struct {
	t1                               float64
	t2, t3                           float64
	p1, p2, p3, p4, p5               float64
	p6, p7, p8, p9, p10              float64
	h1, h2, h3, h4, h5, h6, h7       float64
	gh1, gh2, gh3                    float64
	heatRange, heatVal, rangeSwError float64
}

// plausible gives the coefficients of a chip as they come from the factory,
// a little different for every seed.
func plausible(seed uint64) calibration {
	n := seed ^ 0xCA11B
	about := func(middle, spread float64) float64 {
		n++
		return math.Round(middle + spread*(2*unit(n)-1))
	}
	return calibration{
		t1: about(26100, 200), t2: about(26400, 150), t3: 3,
		p1: about(36500, 300), p2: about(-10450, 90), p3: 88, p4: about(7200, 150), p5: about(-110, 25),
		p6: 30, p7: about(42, 6), p8: about(-1500, 900), p9: about(-2700, 350), p10: 30,
		h1: about(720, 60), h2: about(1020, 15), h3: 0, h4: 45, h5: 20, h6: 120, h7: -100,
		gh1: about(-30, 12), gh2: about(-12000, 4000), gh3: 18,
		heatRange: 1, heatVal: about(45, 6), rangeSwError: about(0, 3),
	}
}

// encode writes the coefficients to their places (section 5.3, memory map).
func (c calibration) encode(r *[256]byte) {
	put8 := func(at int, v float64) { r[at] = byte(int(v)) }
	put16 := func(at int, v float64) { r[at], r[at+1] = byte(int(v)), byte(int(v)>>8) }
	put16(0xE9, c.t1)
	put16(0x8A, c.t2)
	put8(0x8C, c.t3)
	put16(0x8E, c.p1)
	put16(0x90, c.p2)
	put8(0x92, c.p3)
	put16(0x94, c.p4)
	put16(0x96, c.p5)
	put8(0x98, c.p7)
	put8(0x99, c.p6)
	put16(0x9C, c.p8)
	put16(0x9E, c.p9)
	put8(0xA0, c.p10)
	put8(0xE1, float64(int(c.h2)>>4))
	r[0xE2] = byte(int(c.h2)&0xF)<<4 | byte(int(c.h1)&0xF)
	put8(0xE3, float64(int(c.h1)>>4))
	put8(0xE4, c.h3)
	put8(0xE5, c.h4)
	put8(0xE6, c.h5)
	put8(0xE7, c.h6)
	put8(0xE8, c.h7)
	put16(0xEB, c.gh2)
	put8(0xED, c.gh1)
	put8(0xEE, c.gh3)
	put8(0x00, c.heatVal)
	r[0x02] = byte(int(c.heatRange)&3) << 4
	r[0x04] = byte(int(c.rangeSwError)) << 4
}

// decode reads what encode wrote.
func decode(r *[256]byte) calibration {
	u8 := func(at int) float64 { return float64(r[at]) }
	s8 := func(at int) float64 { return float64(int8(r[at])) }
	u16 := func(at int) float64 { return float64(uint16(r[at]) | uint16(r[at+1])<<8) }
	s16 := func(at int) float64 { return float64(int16(uint16(r[at]) | uint16(r[at+1])<<8)) }
	return calibration{
		t1: u16(0xE9), t2: s16(0x8A), t3: s8(0x8C),
		p1: u16(0x8E), p2: s16(0x90), p3: s8(0x92), p4: s16(0x94), p5: s16(0x96),
		p6: s8(0x99), p7: s8(0x98), p8: s16(0x9C), p9: s16(0x9E), p10: u8(0xA0),
		h1: float64(int(r[0xE3])<<4 | int(r[0xE2]&0xF)), h2: float64(int(r[0xE1])<<4 | int(r[0xE2]>>4)),
		h3: s8(0xE4), h4: s8(0xE5), h5: s8(0xE6), h6: u8(0xE7), h7: s8(0xE8),
		gh1: s8(0xED), gh2: s16(0xEB), gh3: s8(0xEE),
		heatVal: s8(0x00), heatRange: float64(r[0x02] >> 4 & 3), rangeSwError: float64(int8(r[0x04]) >> 4),
	}
}

// fine is t_fine, 5120 times the temperature in °C (section 3.3.1).
func (c calibration) fine(adc float64) float64 {
	a := (adc/16384 - c.t1/1024) * c.t2
	b := adc/131072 - c.t1/8192
	return a + b*b*c.t3*16
}

// pressure is in Pa (section 3.3.2).
func (c calibration) pressure(adc, fine float64) float64 {
	a := fine/2 - 64000
	b := a*a*c.p6/131072 + a*c.p5*2
	b = b/4 + c.p4*65536
	a = (c.p3*a*a/16384 + c.p2*a) / 524288
	a = (1 + a/32768) * c.p1
	if a == 0 {
		return 0
	}
	p := (1048576 - adc - b/4096) * 6250 / a
	q := p / 256
	return p + (c.p9*p*p/2147483648+p*c.p8/32768+q*q*q*c.p10/131072+c.p7*128)/16
}

// humidity is in %RH (section 3.3.3).
func (c calibration) humidity(adc, fine float64) float64 {
	t := fine / 5120
	a := adc - (c.h1*16 + c.h3/2*t)
	b := a * (c.h2 / 262144 * (1 + c.h4/16384*t + c.h5/1048576*t*t))
	h := b + (c.h6/16384+c.h7/2097152*t)*b*b
	return max(0, min(100, h))
}

// The steps of the BME680's gas ranges, in per cent (section 3.4.1).
var (
	gasStep1 = [16]float64{5: -1, 7: -0.8, 10: -0.2, 11: -0.5, 13: -1}
	gasStep2 = [16]float64{4: 0.1, 5: 0.7, 7: -0.8, 8: -0.1}
)

// gas is in Ω (section 3.4.1; for the BME688 BST-BME688-DS000, section 3.4.1).
func (c calibration) gas(variant byte, adc float64, span int) float64 {
	if variant != 0 {
		return 1e6 * float64(int(262144)>>span) / (4096 + 3*(adc-512))
	}
	a := (1340 + 5*c.rangeSwError) * (1 + gasStep1[span]/100)
	b := 1 + gasStep2[span]/100
	return 1 / (b * 0.000000125 * float64(int(1)<<span) * ((adc-512)/a + 1))
}

// sample is what the chip's converters give.
type sample struct{ temperature, pressure, humidity, gas, span int }

// measure finds the raw numbers that compensate to the weather. Weather that
// the chip cannot express comes out as the nearest end of its scale.
func (c calibration) measure(w Weather, variant byte) sample {
	var s sample
	s.temperature = invert(1<<20-1, w.Temperature, func(adc float64) float64 { return c.fine(adc) / 5120 })
	fine := c.fine(float64(s.temperature))
	s.pressure = invert(1<<20-1, w.Pressure, func(adc float64) float64 { return c.pressure(adc, fine) })
	s.humidity = invert(1<<16-1, w.Humidity, func(adc float64) float64 { return c.humidity(adc, fine) })

	// The ranges overlap; the one that keeps the converter nearest to its
	// middle (512) is the one that the chip's automatic choice gives.
	best := math.Inf(1)
	for span := range 16 {
		adc := invert(1023, w.Gas, func(adc float64) float64 { return c.gas(variant, adc, span) })
		if off := math.Abs(math.Log(c.gas(variant, float64(adc), span) / w.Gas)); off < best-1e-3 {
			best, s.gas, s.span = off, adc, span
		}
	}
	return s
}

// invert finds, by halving, the whole number of 0..top at which the monotonic
// function f comes nearest to want.
func invert(top int, want float64, f func(float64) float64) int {
	rising := f(float64(top)) > f(0)
	low, high := 0, top
	for high-low > 1 {
		middle := (low + high) / 2
		if (f(float64(middle)) < want) == rising {
			low = middle
		} else {
			high = middle
		}
	}
	if math.Abs(f(float64(low))-want) < math.Abs(f(float64(high))-want) {
		return low
	}
	return high
}
