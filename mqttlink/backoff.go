package mqttlink

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait between connection attempts: a random time
// between nothing and a bound that starts at Min, doubles with every attempt up
// to Max, and starts again once a connection has held for Stable. The randomness
// over the whole span ("full jitter") keeps a fleet from coming back all at once.
type Backoff struct {
	Min    time.Duration // 1 s when zero
	Max    time.Duration // 32 s when zero
	Stable time.Duration // 20 s when zero

	random func() float64 // in [0, 1); rand.Float64 when nil
}

func (b Backoff) withDefaults() Backoff {
	if b.Min <= 0 {
		b.Min = time.Second
	}
	if b.Max <= 0 {
		b.Max = 32 * time.Second
	}
	b.Max = max(b.Max, b.Min)
	if b.Stable <= 0 {
		b.Stable = 20 * time.Second
	}
	if b.random == nil {
		b.random = rand.Float64
	}
	return b
}

// wait returns the time to wait after the given number of attempts, 0 for the
// first, that have failed since the last stable connection.
func (b Backoff) wait(failed int) time.Duration {
	bound := b.Min
	for range failed {
		if bound >= b.Max/2 {
			bound = b.Max
			break
		}
		bound *= 2
	}
	return time.Duration(b.random() * float64(bound))
}
