package exif

import (
	"strings"
	"testing"
)

const little = "II*\x00\x08\x00\x00\x00\x02\x00" + "\x00\x01\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00" + "\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"

// TestOrientation: programs write the value as a BYTE and as a LONG, too
// (zulip#8177).
func TestOrientation(t *testing.T) {
	for name, tc := range map[string]struct {
		tiff string
		want int
	}{
		"little-endian, second entry": {little, 6},
		"big-endian":                  {"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x08\x00\x00", 8},
		"LONG":                        {strings.Replace(little, "\x12\x01\x03", "\x12\x01\x04", 1), 6},
		"LONG, big-endian":            {"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00\x03", 3},
		"BYTE":                        {strings.Replace(little, "\x12\x01\x03", "\x12\x01\x01", 1), 6},
		"BYTE, big-endian":            {"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x01\x00\x00\x00\x01\x05\x00\x00\x00", 5},
		"with JPEG's prefix":          {"Exif\x00\x00" + little, 6},
		"empty":                       {"", 1},
		"unknown byte order":          {"XX" + little[2:], 1},
		"directory beyond the end":    {"II*\x00\xff\xff\xff\xff", 1},
		"cut in the entry":            {little[:len(little)-5], 1},
		"RATIONAL":                    {strings.Replace(little, "\x12\x01\x03", "\x12\x01\x05", 1), 1},
		"two values":                  {strings.Replace(little, "\x12\x01\x03\x00\x01", "\x12\x01\x03\x00\x02", 1), 1},
		"9":                           {strings.Replace(little, "\x06\x00\x00\x00", "\x09\x00\x00\x00", 1), 1},
		"more entries than there are": {"II*\x00\x08\x00\x00\x00\xff\xff", 1},
	} {
		if got := Orientation([]byte(tc.tiff)); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add([]byte(little))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x08\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := Orientation(data); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
