package flow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// contender is something that runs the flow.
type contender struct {
	name   string
	start  func(name string, qos int) // nil: it is in this process
	once   func() time.Duration       // if it is
	blocks []float64                  // medians, in microseconds
	first  []float64                  // of each block, likewise: it comes after a pause, while others had their turn
	times  []time.Duration            // the rest
}

// BenchmarkChain is the time from the motion event to the display command.
func BenchmarkChain(b *testing.B) {
	for _, qos := range []int{0, 1} {
		for _, space := range []time.Duration{0, 5 * time.Millisecond} {
			name := fmt.Sprintf("QoS%d/back to back", qos)
			if space > 0 {
				name = fmt.Sprintf("QoS%d/spaced", qos)
			}
			b.Run(name, func(b *testing.B) {
				n := newBench(b)
				for b.Loop() {
					n.compare(qos, space)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// rounds is how many rounds there are.
func rounds() int {
	if r, err := strconv.Atoi(os.Getenv("FLOWBENCH_ROUNDS")); err == nil {
		return r
	}
	return 100
}

// compare lets the forwarders take turns, in each round in another order: who comes first or
// after itself, or after whom, would show otherwise.
func (n *bench) compare(qos int, space time.Duration) {
	all := []*contender{{name: "pithings", start: n.pithings}, {name: "paho", start: n.paho}, {name: "c", start: n.c}, {name: "local", once: n.local()}}
	if other := os.Getenv("FLOWBENCH_OTHER"); other != "" {
		all = append(all, &contender{name: "other", start: func(name string, qos int) { n.flowRun(other, name, qos) }})
	}
	if _, _, why := node(); why != "" {
		n.Log(why)
	} else {
		all = append(all, &contender{name: "node-red", start: n.nodeRED(false)}, &contender{name: "node-red-nodelay", start: n.nodeRED(true)})
	}
	block := 40
	if space > 0 {
		block = 20
	}
	for _, c := range all {
		if c.start != nil {
			c.start(c.name, qos)
			n.subscribed(c.name)
		}
		n.turn(c, qos, block, 0) // warm
		c.blocks, c.first, c.times = nil, nil, nil
	}
	order := rand.New(rand.NewPCG(1, 2))
	for range rounds() {
		for _, k := range order.Perm(len(all)) {
			chains := block
			if qos == 1 && all[k].name == "node-red" {
				chains = 5 // of 88 ms
			}
			n.turn(all[k], qos, chains, space)
		}
	}
	n.report(all)
}

func (n *bench) turn(c *contender, qos, chains int, space time.Duration) {
	var times []time.Duration
	if c.start != nil {
		times = n.chains(c.name, qos, chains, space)
	} else {
		for range chains {
			time.Sleep(space)
			times = append(times, c.once())
		}
	}
	c.first = append(c.first, micros(times[0]))
	c.times = append(c.times, times[1:]...)
	slices.Sort(times)
	c.blocks = append(c.blocks, micros(times[len(times)/2]))
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// report prints a line for each contender and the ratios of pithings.
func (n *bench) report(all []*contender) {
	var table strings.Builder
	for _, c := range all {
		times := slices.Sorted(slices.Values(c.times))
		p50, p99 := micros(times[len(times)/2]), micros(times[len(times)*99/100])
		first, _, _ := spread(c.first)
		ratios := make([]float64, len(c.blocks))
		for i, block := range c.blocks {
			ratios[i] = all[0].blocks[i] / block
		}
		middle, from, to := spread(ratios)
		_, least, most := spread(slices.Clone(c.blocks))
		fmt.Fprintf(&table, "\n%-17s p50 %8.0f µs [%.0f–%.0f]  p99 %8.0f µs  first %8.0f µs  pithings is %.3f of it [%.3f–%.3f]", c.name, p50, least, most, p99, first, middle, from, to)
		n.ReportMetric(p50, c.name+"-p50-µs")
		n.ReportMetric(p99, c.name+"-p99-µs")
		n.ReportMetric(first, c.name+"-first-p50-µs")
		if c != all[0] {
			n.ReportMetric(middle, "p50/"+c.name)
		}
	}
	n.Log(table.String())
}

// spread returns the median and the quarters around it: one round that was disturbed
// says nothing.
func spread(values []float64) (middle, from, to float64) {
	slices.Sort(values)
	return values[len(values)/2], values[len(values)/4], values[len(values)*3/4]
}
