package pi

import (
	"math"
	"time"
)

// random is a stream of numbers.
type random uint64

// longest is how many times its average a time is at most.
const longest = 10

// exponential returns the time to an event that comes at any time with the same chance.
func (r *random) exponential(mean time.Duration) time.Duration {
	*r += step
	u := unit(uint64(*r))
	return time.Duration(min(-math.Log(1-u), longest) * float64(mean))
}

const step = 0x9e3779b97f4a7c15

// unit is a number in [0, 1) that belongs to n (the mixing function of SplitMix64; Steele, Lea
// and Flood 2014).
func unit(n uint64) float64 {
	n += step
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return float64((n^n>>31)>>11) / (1 << 53)
}
