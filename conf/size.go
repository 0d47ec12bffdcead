package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a picture size in pixels, written 1280x720.
type Size struct{ Width, Height int }

// maxSide bounds a picture's width and height.
const maxSide = 16384

// UnmarshalText implements encoding.TextUnmarshaler.
func (z *Size) UnmarshalText(text []byte) error {
	s := string(text)
	w, h, ok := strings.Cut(s, "x")
	width, errW := strconv.ParseUint(w, 10, 31)
	height, errH := strconv.ParseUint(h, 10, 31)
	switch {
	case !ok || errW != nil || errH != nil:
		return fmt.Errorf("%s is not a size; write WIDTHxHEIGHT in pixels, for example 1280x720", Quote(s))
	case width < 1 || height < 1 || width > maxSide || height > maxSide:
		return fmt.Errorf("%s is out of range; a side has 1 to %d pixels", Quote(s), maxSide)
	}
	z.Width, z.Height = int(width), int(height)
	return nil
}

// String returns the size as it is written.
func (z Size) String() string { return fmt.Sprintf("%dx%d", z.Width, z.Height) }

// MarshalText implements encoding.TextMarshaler.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }
