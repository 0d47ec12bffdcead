package pi

import (
	"math"
	"time"

	"pithings/fleet/internal/splitmix"
)

// random is a stream of numbers.
type random uint64

// longest is how many times its average a time is at most.
const longest = 10

// exponential returns the time to an event that comes at any time with the same chance.
func (r *random) exponential(mean time.Duration) time.Duration {
	*r += splitmix.Step
	u := splitmix.Unit(uint64(*r))
	return time.Duration(min(-math.Log(1-u), longest) * float64(mean))
}
