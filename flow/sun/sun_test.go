package sun

import (
	"testing"
	"time"
)

// TestTables compares with published tables: those of the U.S. Naval Observatory's
// Astronomical Applications Department and of timeanddate.com, which round to a minute.
func TestTables(t *testing.T) {
	const tolerance = 2 * time.Minute
	for _, tc := range []struct {
		place     string
		lat, lon  float64
		date      string
		rise, set string // with their zone
	}{
		{"London, summer solstice", 51.5072, -0.1276, "2024-06-20", "04:43 +0100", "21:21 +0100"},
		{"London, winter solstice", 51.5072, -0.1276, "2024-12-21", "08:04 +0000", "15:53 +0000"},
		{"Berlin, equinox", 52.52, 13.405, "2024-03-20", "06:10 +0100", "18:20 +0100"},
		{"New York", 40.7128, -74.006, "2024-06-20", "05:25 -0400", "20:31 -0400"},
		{"New York, winter", 40.7128, -74.006, "2024-12-21", "07:17 -0500", "16:32 -0500"},
		{"Sydney", -33.8688, 151.2093, "2024-12-21", "05:41 +1100", "20:05 +1100"},
		{"Quito, at the equator", -0.1807, -78.4678, "2024-03-20", "06:18 -0500", "18:24 -0500"},
	} {
		day, err := time.Parse(time.DateOnly, tc.date)
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []struct {
			name, want string
			find       func(int, time.Month, int, float64, float64) (time.Time, bool)
		}{{"rise", tc.rise, Rise}, {"set", tc.set, Set}} {
			want, err := time.Parse("2006-01-02 15:04 -0700", tc.date+" "+side.want)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := side.find(day.Year(), day.Month(), day.Day(), tc.lat, tc.lon)
			if d := got.Sub(want); !ok || d.Abs() > tolerance {
				t.Errorf("%s %s, %s: %s, want %s", tc.place, tc.date, side.name, got.In(want.Location()), want)
			}
		}
	}
}

// TestPolar: neither rises nor sets a sun that is up, or down, all day.
func TestPolar(t *testing.T) {
	for _, month := range []time.Month{time.June, time.December} {
		for _, find := range []func(int, time.Month, int, float64, float64) (time.Time, bool){Rise, Set} {
			for _, lat := range []float64{69.65, 78.2, 90, -90, -77.8} {
				if at, ok := find(2024, month, 21, lat, 18.95); ok {
					t.Errorf("latitude %v, %s: %s", lat, month, at)
				}
			}
		}
	}
}
