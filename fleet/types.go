package fleet

import (
	"fmt"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/fleet/internal/playground"
)

const (
	typePi    = "pi"    // virtual Raspberry Pis
	typeRogue = "rogue" // does what attackers and broken firmware do
)

// count counts devices and the like.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Types are the names of all types of devices.
func Types() []string { return append(slices.Clone(playground.Kinds()), typePi, typeRogue) }

// kind is a type of device: one of the playground's, a Pi, or a rogue one.
type kind struct {
	playground.Kind // of no meaning for the others
	pi, rogue       bool
}

func parseType(name string) (kind, error) {
	name = strings.TrimSpace(name)
	if name == typePi {
		return kind{pi: true}, nil
	}
	if name == typeRogue {
		return kind{rogue: true}, nil
	}
	if k, err := playground.ParseKind(name); err == nil {
		return kind{Kind: k}, nil
	}
	return kind{}, fmt.Errorf("there is no type of device %q%s; the types are %s", name, suggest.From(name, Types()), strings.Join(Types(), ", "))
}

// plays reports whether a device is one of the playground's.
func (k kind) plays() bool { return !k.pi && !k.rogue }

// Services reports whether a device uses AWS's services: shadow, jobs and Defender.
func (k kind) Services() bool { return k.plays() && k.Kind.Services() }

// Lit reports whether a device obeys the status of its shadow.
func (k kind) Lit() bool { return k.plays() && k.Kind.Lit() }

// presses reports whether a device sets the shadow of another.
func (k kind) presses() bool { return k.plays() && k.Kind == playground.Switch }

// readingMessages are those of one reading of a Pi: four quantities, and all in one.
const readingMessages = 5

// perInterval is how many messages a device publishes in each interval.
func (k kind) perInterval() int {
	switch {
	case k.pi:
		return readingMessages
	case k.rogue:
		return 0 // of telemetry
	}
	return 1
}
