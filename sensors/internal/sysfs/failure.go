package sysfs

import "strings"

// Failure is a channel that could not be read.
type Failure struct {
	Channel string // its quantity's name
	Err     error
}

// Failures is the error of a reading that lacks channels.
type Failures []Failure

func (f Failures) Error() string {
	var list []string
	for _, x := range f {
		list = append(list, x.Channel+": "+x.Err.Error())
	}
	return strings.Join(list, ", ")
}

// Unwrap returns the errors of the channels.
func (f Failures) Unwrap() []error {
	list := make([]error, len(f))
	for i, x := range f {
		list[i] = x.Err
	}
	return list
}
