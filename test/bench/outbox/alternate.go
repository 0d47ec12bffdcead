package outbox

import (
	"slices"
	"time"
)

// Contender does one operation at a time, which makes Messages messages safe.
type Contender struct {
	Name     string
	Messages int
	Do       func() error
	Quiet    func() error // between blocks, not measured; may be nil
}

// Result is what a contender took.
type Result struct {
	Name    string
	P50     time.Duration   // of an operation
	Blocks  []time.Duration // the same of each block
	Written float64         // bytes that reached the block device, per message; 0: not known
}

// Alternate lets the contenders take turns: rounds blocks each of block
// operations. Every second round goes the other way round.
func Alternate(device *Device, rounds, block int, contenders ...Contender) ([]Result, error) {
	times := make([][]time.Duration, len(contenders))
	written := make([][]float64, len(contenders))
	results := make([]Result, len(contenders))
	for round := range rounds {
		for k := range contenders {
			i := k
			if round%2 == 1 {
				i = len(contenders) - 1 - k
			}
			c := contenders[i]
			if c.Quiet != nil {
				if err := c.Quiet(); err != nil {
					return nil, err
				}
			}
			before := device.Written()
			for range block {
				began := time.Now()
				if err := c.Do(); err != nil {
					return nil, err
				}
				times[i] = append(times[i], time.Since(began))
			}
			written[i] = append(written[i], float64(device.Written()-before)/float64(block*c.Messages))
			results[i].Blocks = append(results[i].Blocks, median(times[i][len(times[i])-block:]))
		}
	}
	for i, c := range contenders {
		slices.Sort(written[i])
		results[i].Name, results[i].P50, results[i].Written = c.Name, median(times[i]), written[i][len(written[i])/2]
	}
	return results, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// Ratio is how one result compares to another.
type Ratio struct {
	P50       float64 // of all operations
	Low, High float64 // nine of ten rounds were between these: of 20 rounds, all but the extremes
}

// Over returns a's times as multiples of b's.
func (a Result) Over(b Result) Ratio {
	rounds := make([]float64, len(a.Blocks))
	for i := range rounds {
		rounds[i] = float64(a.Blocks[i]) / float64(b.Blocks[i])
	}
	slices.Sort(rounds)
	cut := len(rounds) / 20
	return Ratio{float64(a.P50) / float64(b.P50), rounds[cut], rounds[len(rounds)-1-cut]}
}
