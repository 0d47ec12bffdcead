package main

import (
	"errors"
	"strconv"
	"time"
)

// seconds is a time that may be given as a number of seconds, as mosquitto's tools
// take it, or with its unit.
type seconds struct {
	time.Duration
	given bool
}

func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, numeric := strconv.ParseFloat(text, 64); numeric == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
		if !(n <= 1e8) {
			err = errors.New("too long")
		}
	}
	if err != nil || d < 0 {
		return errors.New("give a number of seconds, or a time with its unit, such as 30s or 5m")
	}
	s.Duration, s.given = d, true
	return nil
}

func (s *seconds) Type() string { return "seconds" }

func (s *seconds) String() string {
	if !s.given {
		return ""
	}
	return s.Duration.String()
}

// setting is the time as a configuration has it.
func (s *seconds) setting() string { return s.String() }
