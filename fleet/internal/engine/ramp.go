package engine

import (
	"math"
	"sync/atomic"
)

// ramp is how many connections are opened in a second, at most. It may change while they are.
type ramp struct{ bits atomic.Uint64 }

func (r *ramp) set(perSecond float64) { r.bits.Store(math.Float64bits(perSecond)) }

// gap is the time between two connections of one of so many shards, in nanoseconds.
func (r *ramp) gap(shards int) int64 {
	return int64(min(1e9*float64(shards)/math.Float64frombits(r.bits.Load()), float64(never/4))) // which a tiny ramp would overflow
}
