// Package splitmix makes random numbers that follow from other numbers, such as a seed and a device:
// those of SplitMix64 (G. Steele, D. Lea, C. Flood: Fast splittable pseudorandom number generators,
// 2014). A device of thousands needs no generator for them, or one of a word.
//
//	n := splitmix.Mix(seed + device)   // the same for the same device
//	seed += splitmix.Step              // and a stream of them
//	n = splitmix.Mix(seed)
package splitmix

// Step is between two states of a stream: the golden ratio's part of 2^64, which is odd.
const Step = 0x9e3779b97f4a7c15

// Mix returns the number that belongs to n. Those of neighbours have nothing in common.
func Mix(n uint64) uint64 {
	n += Step
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// Unit returns the number in [0, 1) that belongs to n.
func Unit(n uint64) float64 { return float64(Mix(n)>>11) / (1 << 53) }
