package webp

import (
	"errors"
	"fmt"
)

// Errors of pictures.
var (
	// ErrFormat: the data are no valid WebP.
	ErrFormat = errors.New("broken WebP")
	// ErrUnsupported: the data are of a kind of WebP that is not decoded.
	ErrUnsupported = errors.New("unsupported kind of WebP")
	// ErrShort: the data end before the picture does.
	ErrShort = fmt.Errorf("%w: it is cut short", ErrFormat)
	// ErrTables: the picture wants more memory for its codes than pictures need.
	ErrTables = fmt.Errorf("%w: too many codes", ErrFormat)
)

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}
