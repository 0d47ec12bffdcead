package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span, written with its unit: 500ms, 3s, 1m30s; 0 needs none.
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return fmt.Errorf("%s has no unit; write %ss or %sms", quote(s), s, s)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is not a duration; write 500ms, 3s or 1m30s", quote(s))
	}
	if v < 0 {
		return fmt.Errorf("%s is negative", quote(s))
	}
	d.Duration = v
	return nil
}

// String writes the span without the zero parts that time.Duration shows: 1h,
// not 1h0m0s.
func (d Duration) String() string {
	s := d.Duration.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

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
		return fmt.Errorf("%s is not a size; write WIDTHxHEIGHT in pixels, for example 1280x720", quote(s))
	case width < 1 || height < 1 || width > maxSide || height > maxSide:
		return fmt.Errorf("%s is out of range; a side has 1 to %d pixels", quote(s), maxSide)
	}
	z.Width, z.Height = int(width), int(height)
	return nil
}

// String returns the size as it is written.
func (z Size) String() string { return fmt.Sprintf("%dx%d", z.Width, z.Height) }

// MarshalText implements encoding.TextMarshaler.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// Bytes is an amount of storage, written 1024, 64KiB, 64MiB, 1GiB, or with the
// decimal units kB, MB, GB.
type Bytes int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := string(text)
	number, unit := s, int64(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, unit = strings.TrimSpace(n), u.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if errors.Is(err, strconv.ErrRange) || err == nil && int64(n) > math.MaxInt64/unit {
		return fmt.Errorf("%s is too large", quote(s))
	}
	if err != nil {
		return fmt.Errorf("%s is not an amount of bytes; write 512KiB, 64MiB or 1GiB", quote(s))
	}
	*b = Bytes(int64(n) * unit)
	return nil
}

// String uses the largest binary unit that leaves a whole number.
func (b Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Rate is a number of messages per second, written 2/s, 30/min, 100/h or
// unlimited.
type Rate float64

// Unlimited is the rate without a limit.
var Unlimited = Rate(math.Inf(1))

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "unlimited" {
		*r = Unlimited
		return nil
	}
	number, unit, _ := strings.Cut(s, "/")
	per := map[string]float64{"s": 1, "min": 60, "h": 3600}[unit]
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || per == 0:
		return fmt.Errorf("%s is not a rate; write 2/s, 30/min or unlimited", quote(s))
	case !(n/per >= 1.0/3600 && n/per <= 1e6):
		return fmt.Errorf("%s is out of range; a rate is 1/h to 1000000/s or unlimited", quote(s))
	}
	*r = Rate(n / per)
	return nil
}

// String returns the rate per second, or per hour when it is slow.
func (r Rate) String() string {
	switch {
	case math.IsInf(float64(r), 1):
		return "unlimited"
	case r < 1:
		return strconv.FormatFloat(math.Round(float64(r)*3600*1e6)/1e6, 'f', -1, 64) + "/h"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Address is the I²C address of a BME680: 0x76, 0x77, or 0 for auto.
type Address uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "auto" {
		*a = 0
		return nil
	}
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil || n != 0x76 && n != 0x77 {
		return fmt.Errorf("%s is not an address of a BME680; write 0x76, 0x77 or auto", quote(s))
	}
	*a = Address(n)
	return nil
}

// String returns the address as it is written.
func (a Address) String() string {
	if a == 0 {
		return "auto"
	}
	return fmt.Sprintf("%#02x", uint16(a))
}

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Secret is a text that is never printed: formatting, JSON and logging show
// "[set]", or nothing when it is empty.
type Secret struct{ text string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return s.text }

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// String tells only whether there is a secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "[set]"
}

// Format implements fmt.Formatter, so that no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText implements encoding.TextMarshaler; it does not write the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
