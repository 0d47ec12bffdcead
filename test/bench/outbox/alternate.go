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
	P50     time.Duration // of an operation
	Written float64       // bytes that reached the block device, per message; 0: not known
}

// Alternate lets the contenders take turns: rounds blocks each of block
// operations. Every second round goes the other way round.
func Alternate(device *Device, rounds, block int, contenders ...Contender) ([]Result, error) {
	times := make([][]time.Duration, len(contenders))
	written := make([][]float64, len(contenders))
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
		}
	}
	results := make([]Result, len(contenders))
	for i, c := range contenders {
		slices.Sort(times[i])
		slices.Sort(written[i])
		results[i] = Result{c.Name, times[i][len(times[i])/2], written[i][len(written[i])/2]}
	}
	return results, nil
}
