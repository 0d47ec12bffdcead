package fleet

import (
	"fmt"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/fleet/internal/playground"
)

// typePi is the type of virtual Raspberry Pis.
const typePi = "pi"

// Types are the names of all types of devices.
func Types() []string { return append(slices.Clone(playground.Kinds()), typePi) }

// kind is a type of device: one of the playground's, or a Pi.
type kind struct {
	playground.Kind // of no meaning for a Pi
	pi              bool
}

func parseType(name string) (kind, error) {
	name = strings.TrimSpace(name)
	if name == typePi {
		return kind{pi: true}, nil
	}
	if k, err := playground.ParseKind(name); err == nil {
		return kind{Kind: k}, nil
	}
	return kind{}, fmt.Errorf("there is no type of device %q%s; the types are %s", name, suggest.From(name, Types()), strings.Join(Types(), ", "))
}

// Services reports whether a device uses AWS's services: shadow, jobs and Defender.
func (k kind) Services() bool { return !k.pi && k.Kind.Services() }

// Lit reports whether a device obeys the status of its shadow.
func (k kind) Lit() bool { return !k.pi && k.Kind.Lit() }

// presses reports whether a device sets the shadow of another.
func (k kind) presses() bool { return !k.pi && k.Kind == playground.Switch }

// readingMessages are those of one reading of a Pi: four quantities, and all in one.
const readingMessages = 5

// perInterval is how many messages a device publishes in each interval.
func (k kind) perInterval() int {
	if k.pi {
		return readingMessages
	}
	return 1
}
