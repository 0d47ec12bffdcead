package tdm

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var intervalForm = regexp.MustCompile(`(?i)^\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|msec|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)?\s*$`)

// interval reads "1 sec", "5 minutes", "250ms" or a number of seconds.
func interval(s string) (time.Duration, bool) {
	m := intervalForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	unit := time.Second
	switch u := strings.ToLower(m[2]); {
	case strings.HasPrefix(u, "ms"), strings.HasPrefix(u, "milli"):
		unit = time.Millisecond
	case strings.HasPrefix(u, "m"):
		unit = time.Minute
	case strings.HasPrefix(u, "h"):
		unit = time.Hour
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n <= 0 || n*float64(unit) > float64(24*time.Hour) {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// writeInterval writes what interval reads.
func writeInterval(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + " sec"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + " ms"
}
