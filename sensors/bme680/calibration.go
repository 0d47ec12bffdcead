package bme680

import (
	"encoding/binary"
	"errors"
)

// calibration holds the factory's parameters under the names of the datasheet
// (§3.3, tables 11 to 16), shortened: t1 is par_t1, gh1 is par_gh1.
type calibration struct {
	t1                 uint16
	t2                 int16
	t3                 int8
	p1                 uint16
	p2, p4, p5, p8, p9 int16
	p3, p6, p7         int8
	p10                uint8
	h1, h2             uint16 // 12 bits each
	h3, h4, h5, h7     int8
	h6                 uint8
	gh1, gh3           int8
	gh2                int16
	heatRange          uint8 // res_heat_range, 0 to 3
	heatVal            int8  // res_heat_val
	rangeErr           int8  // range_switching_error, -8 to 7
}

var errBlankCalibration = errors.New("the calibration memory reads as blank; the chip is not powered properly or is broken")

// newCalibration decodes the three blocks that begin at regCalib1, regCalib2
// and regHeatVal.
func newCalibration(a *[lenCalib1]byte, b *[lenCalib2]byte, c *[lenCalib3]byte) (calibration, error) {
	if blank(a[:]) || blank(b[:]) {
		return calibration{}, errBlankCalibration
	}
	u16 := binary.LittleEndian.Uint16
	s16 := func(p []byte) int16 { return int16(u16(p)) }
	return calibration{
		t2: s16(a[0:]), // 0x8A
		t3: int8(a[2]),

		p1:  u16(a[4:]), // 0x8E
		p2:  s16(a[6:]),
		p3:  int8(a[8]),
		p4:  s16(a[10:]), // 0x94
		p5:  s16(a[12:]),
		p7:  int8(a[14]), // 0x98: p7 comes before p6
		p6:  int8(a[15]),
		p8:  s16(a[18:]), // 0x9C
		p9:  s16(a[20:]),
		p10: a[22],

		h2: uint16(b[0])<<4 | uint16(b[1])>>4, // 0xE1 and the high nibble of 0xE2
		h1: uint16(b[2])<<4 | uint16(b[1])&15, // 0xE3 and the low nibble of 0xE2
		h3: int8(b[3]),
		h4: int8(b[4]),
		h5: int8(b[5]),
		h6: b[6],
		h7: int8(b[7]),

		t1:  u16(b[8:]), // 0xE9
		gh2: s16(b[10:]),
		gh1: int8(b[12]),
		gh3: int8(b[13]),

		heatVal:   int8(c[0]),
		heatRange: c[2] >> 4 & 3,
		rangeErr:  int8(c[4]) >> 4,
	}, nil
}

// blank reports whether the bus was idle: no chip answered.
func blank(b []byte) bool {
	for _, v := range b {
		if v != b[0] {
			return false
		}
	}
	return b[0] == 0x00 || b[0] == 0xFF
}
