package mjpeg

import "pithings/picture/jpeg"

// The two kinds of component of a colour picture, and the numbers of their tables.
const (
	luma   = 0
	chroma = 1
)

// quantTables are T.81 tables K.1 and K.2, row by row.
var quantTables = [2][64]uint8{
	luma: {
		16, 11, 10, 16, 24, 40, 51, 61,
		12, 12, 14, 19, 26, 58, 60, 55,
		14, 13, 16, 24, 40, 57, 69, 56,
		14, 17, 22, 29, 51, 87, 80, 62,
		18, 22, 37, 56, 68, 109, 103, 77,
		24, 35, 55, 64, 81, 104, 113, 92,
		49, 64, 78, 87, 103, 121, 120, 101,
		72, 92, 95, 98, 112, 100, 103, 99,
	},
	chroma: {
		17, 18, 24, 47, 99, 99, 99, 99,
		18, 21, 26, 66, 99, 99, 99, 99,
		24, 26, 56, 99, 99, 99, 99, 99,
		47, 66, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
		99, 99, 99, 99, 99, 99, 99, 99,
	},
}

// appendDHT appends one DHT segment with the typical tables that need names:
// need[class][kind].
func appendDHT(dst []byte, need [2][2]bool) []byte {
	length := 2
	for class := range need {
		for kind, n := range need[class] {
			if n {
				length += 1 + 16 + len(jpeg.StandardHuffman(class, kind).Values)
			}
		}
	}
	if length == 2 {
		return dst
	}
	dst = append(dst, 0xFF, jpeg.DHT, byte(length>>8), byte(length))
	for kind := range 2 { // DC then AC of each kind, as most encoders order them
		for class := range 2 {
			if need[class][kind] {
				t := jpeg.StandardHuffman(class, kind)
				dst = append(dst, byte(class<<4|kind))
				dst = append(dst, t.Counts[:]...)
				dst = append(dst, t.Values...)
			}
		}
	}
	return dst
}
