package main

import (
	"fmt"
	"strings"
	"time"
)

// clockLetters are conversions of strftime(3) in the C locale, as layouts of package
// time; clockFuncs are those that have none.
var clockLetters = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002",
	'm': "01", 'M': "04", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05",
	'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

var clockFuncs = map[byte]func(time.Time) string{
	'@': func(time.Time) string { return "@" },
	'n': func(time.Time) string { return "\n" },
	'p': func(t time.Time) string { return t.Format("PM") },
	'P': func(t time.Time) string { return strings.ToLower(t.Format("PM")) },
	't': func(time.Time) string { return "\t" },
	's': func(t time.Time) string { return fmt.Sprint(t.Unix()) },
	'N': func(t time.Time) string { return fmt.Sprintf("%09d", t.Nanosecond()) }, // mosquitto_sub's own
	'C': func(t time.Time) string { return fmt.Sprintf("%02d", t.Year()/100) },
	'k': func(t time.Time) string { return fmt.Sprintf("%2d", t.Hour()) },
	'l': func(t time.Time) string { return fmt.Sprintf("%2d", (t.Hour()+11)%12+1) },
	'u': func(t time.Time) string { return fmt.Sprint((int(t.Weekday())+6)%7 + 1) },
	'w': func(t time.Time) string { return fmt.Sprint(int(t.Weekday())) },
	'U': func(t time.Time) string { return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7) },
	'W': func(t time.Time) string { return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7) },
	'V': func(t time.Time) string { _, w := t.ISOWeek(); return fmt.Sprintf("%02d", w) },
	'G': func(t time.Time) string { y, _ := t.ISOWeek(); return fmt.Sprint(y) },
	'g': func(t time.Time) string { y, _ := t.ISOWeek(); return fmt.Sprintf("%02d", y%100) },
}

// strftime returns the conversion of a letter.
func strftime(letter byte) (func(time.Time) string, error) {
	if set := clockFuncs[letter]; set != nil {
		return set, nil
	}
	if layout := clockLetters[letter]; layout != "" {
		return func(t time.Time) string { return t.Format(layout) }, nil
	}
	return nil, fmt.Errorf("@%c is not known; strftime(3) lists the letters, and @N is nanoseconds", printed(letter))
}

// printed is a byte as a character for a message.
func printed(b byte) rune {
	if b < ' ' || b > '~' {
		return '?'
	}
	return rune(b)
}
