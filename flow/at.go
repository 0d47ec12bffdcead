package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// At is a moment of the day that starts flows, by the clock on the wall. It comes
// once a local day: an hour that is skipped in spring has it at its end, one that
// is repeated in autumn at its first.
type At struct {
	// Sun, if not "", is the event; else Time is, counted from midnight.
	Sun  Sun
	Time time.Duration
	// Lat and Lon are the place of the sun's events, in degrees north and east;
	// Offset is how long after the event it is, negative before.
	Lat, Lon float64
	Offset   time.Duration
	// Days are the days of the week; 0 is all of them.
	Days Weekdays
	// Zone is a name of the time zone database; "" is that of the machine.
	Zone string
	// CatchUp is how late it may come when the engine did not run, or the time was
	// not known, at the moment itself. 0: not at all.
	CatchUp time.Duration
}

// Sun is an event of the sun.
type Sun string

// The events of the sun.
const (
	Sunrise Sun = "sunrise"
	Sunset  Sun = "sunset"
)

// Bounds of an At.
const (
	MaxSunOffset = 12 * time.Hour
	MaxCatchUp   = 24 * time.Hour
)

// ParseAt reads "07:00", "7:00:30", "sunrise" or "sunset".
func ParseAt(text string) (At, error) {
	switch s := Sun(strings.ToLower(strings.TrimSpace(text))); s {
	case Sunrise, Sunset:
		return At{Sun: s}, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return At{Time: t.Sub(t.Truncate(24 * time.Hour))}, nil
		}
	}
	return At{}, fmt.Errorf("%.40q is no time of the day; write, for example, \"07:00\", sunrise or sunset", text)
}

// Moment returns what ParseAt reads.
func (a At) Moment() string {
	if a.Sun != "" {
		return string(a.Sun)
	}
	t := time.Time{}.Add(a.Time)
	if a.Time%time.Minute == 0 {
		return t.Format("15:04")
	}
	return t.Format("15:04:05")
}

// Weekdays is a set of days of the week; the bit 1<<time.Monday is Monday.
type Weekdays uint8

// Groups of days that have a name.
const (
	workdays Weekdays = 1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday
	weekend  Weekdays = 1<<time.Saturday | 1<<time.Sunday
	allDays           = workdays | weekend
)

// week is the days in the order in which they are printed.
var week = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

// ParseWeekdays reads the names of days, "mon" or "monday", and "workdays", "weekend".
func ParseWeekdays(names []string) (Weekdays, error) {
	var d Weekdays
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		day := slices.IndexFunc(week, func(w time.Weekday) bool {
			full := strings.ToLower(w.String())
			return name == full || name == full[:3]
		})
		switch {
		case name == "workdays" || name == "weekdays":
			d |= workdays
		case name == "weekend":
			d |= weekend
		case name == "every day" || name == "daily":
			d |= allDays
		case day >= 0:
			d |= 1 << week[day]
		default:
			return 0, fmt.Errorf("%.40q is no day; write mon, tue, wed, thu, fri, sat, sun, workdays or weekend", name)
		}
	}
	return d, nil
}

// Has reports whether a day is among them.
func (d Weekdays) Has(w time.Weekday) bool { return d == 0 || d&(1<<w) != 0 }

// Names are what ParseWeekdays reads.
func (d Weekdays) Names() []string {
	switch d {
	case 0:
		return nil
	case workdays:
		return []string{"workdays"}
	case weekend:
		return []string{"weekend"}
	}
	var list []string
	for _, w := range week {
		if d.Has(w) {
			list = append(list, DayName(w))
		}
	}
	return list
}

// DayName is a day as expressions and files name it: "mon".
func DayName(w time.Weekday) string { return strings.ToLower(w.String()[:3]) }

// Location returns the time zone, as the system knows it.
func (a At) Location() (*time.Location, error) {
	if a.Zone == "" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(a.Zone)
	if err == nil {
		return loc, nil
	}
	if _, none := time.LoadLocation("Europe/London"); none != nil {
		return nil, fmt.Errorf("the zone %q cannot be looked up, because this system has no time zone database: install the package tzdata, or leave the zone out for the machine's own", a.Zone)
	}
	return nil, fmt.Errorf("there is no time zone %q; write a name as in /usr/share/zoneinfo, for example Europe/Berlin or UTC", a.Zone)
}

// problem says what is wrong with it, "" if nothing is.
func (a At) problem() string {
	switch {
	case a.Sun != "" && a.Sun != Sunrise && a.Sun != Sunset:
		return fmt.Sprintf("the sun has no event %q; write sunrise or sunset", a.Sun)
	case a.Sun == "" && (a.Time < 0 || a.Time >= 24*time.Hour):
		return "a day has times from 00:00 to 23:59:59"
	case !(a.Lat >= -90 && a.Lat <= 90 && a.Lon >= -180 && a.Lon <= 180):
		return fmt.Sprintf("there is no place [%v, %v]; write [latitude, longitude] in degrees north and east, for example [52.52, 13.41]", a.Lat, a.Lon)
	case a.Offset.Abs() > MaxSunOffset:
		return fmt.Sprintf("an offset of %v; write one from -%v to %v", a.Offset, MaxSunOffset, MaxSunOffset)
	case a.CatchUp < 0 || a.CatchUp > MaxCatchUp:
		return fmt.Sprintf("catch_up: %v; write at most %v", a.CatchUp, MaxCatchUp)
	}
	if _, err := a.Location(); err != nil {
		return err.Error()
	}
	return ""
}
