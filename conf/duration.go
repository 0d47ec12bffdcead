package conf

import (
	"fmt"
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
		return fmt.Errorf("%s has no unit; write %ss or %sms", Quote(s), s, s)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is not a duration; write 500ms, 3s or 1m30s", Quote(s))
	}
	if v < 0 {
		return fmt.Errorf("%s is negative", Quote(s))
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
