package playground

import (
	"fmt"
	"strings"

	"pithings/conf/suggest"
)

// Kind is a type of device.
type Kind uint8

// The kinds.
const (
	Generic    Kind = iota // telemetry, commands, shadow, jobs, Defender
	Bulb                   // a generic one that is lit by its shadow's status
	Switch                 // a generic one that sets the status of another device's shadow
	Controlled             // a bulb that reports its status
	Telemetry              // telemetry and commands only, for brokers without AWS's services
)

var kindNames = []string{"generic", "bulb", "switch", "controlled", "telemetry"}

// Kinds are the names of all kinds.
func Kinds() []string { return kindNames }

// String returns the kind's name.
func (k Kind) String() string { return kindNames[k] }

// ParseKind reads the name of a kind.
func ParseKind(name string) (Kind, error) {
	for i, n := range kindNames {
		if n == name {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("there is no type of device %q%s; the types are %s", name, suggest.From(name, kindNames), strings.Join(kindNames, ", "))
}

// Services reports whether a device uses AWS's services: shadow, jobs and Defender.
func (k Kind) Services() bool { return k != Telemetry }

// Lit reports whether a device obeys the status of its shadow.
func (k Kind) Lit() bool { return k == Bulb || k == Controlled }
