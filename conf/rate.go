package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

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
		return fmt.Errorf("%s is not a rate; write 2/s, 30/min or unlimited", Quote(s))
	case !(n/per >= 1.0/3600 && n/per <= 1e6):
		return fmt.Errorf("%s is out of range; a rate is 1/h to 1000000/s or unlimited", Quote(s))
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
