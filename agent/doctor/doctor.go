package doctor

import (
	"context"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink/clock"
	"pithings/things"
)

// Options say what is examined.
type Options struct {
	// Board has the parts.
	Board hw.Board
	// Config names the parts. Without one the usual parts of a Pi are examined:
	// GPIO17, I²C bus 1, /dev/video0 and /dev/fb0.
	Config *config.Config
	// Machine is what the board is plugged into; nil for a simulated board,
	// which has none.
	Machine *probe.Machine
	// Clock is what shows whether the machine's clock is right; its Now is Options.Now.
	// It is not asked for a simulated board.
	Clock clock.Machine
	// Built is when this program was built: no clock can be right that is behind
	// it. Zero when it is not known.
	Built time.Time
	// Now is the clock, time.Now when nil.
	Now func() time.Time
	// Limit is how long one part may take to answer, 15 s when zero: an I²C bus
	// that hangs needs several time-outs of a second.
	Limit time.Duration
}

// examination is one run of Examine.
type examination struct {
	Options
	prober *probe.Prober
}

// check is one part to look at.
type check struct {
	part string
	look func(ctx context.Context, part string) []probe.Result
}

// Examine looks at the machine and at every part, all at the same time, and
// returns what it found in a fixed order. A part that does not answer within
// Options.Limit is reported so and left alone. An error means that ctx ended.
func Examine(ctx context.Context, o Options) (Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limit <= 0 {
		o.Limit = 15 * time.Second
	}
	e := &examination{o, probe.New(o.Board, o.Machine)}
	checks := append(e.machine(), e.parts()...)
	results := make([]Report, len(checks))
	var wait sync.WaitGroup
	for i, c := range checks {
		wait.Go(func() {
			results[i] = probe.Within(ctx, o.Limit, c.part, func(ctx context.Context) []probe.Result { return c.look(ctx, c.part) })
		})
	}
	wait.Wait()
	var report Report
	for _, r := range results {
		report = append(report, r...)
	}
	return report, ctx.Err()
}

// parts lists the checks of the things, or of the usual parts.
func (e *examination) parts() (checks []check) {
	add := func(part string, s things.Settings) {
		checks = append(checks, check{part, func(ctx context.Context, part string) []probe.Result { return s.Probe(ctx, e.prober, part) }})
	}
	if e.Config == nil {
		for _, k := range things.Kinds() {
			if k.Usual != nil {
				add(k.Usual())
			}
		}
		return checks
	}
	for i := range e.Config.Things {
		add(e.Config.Things[i].Name, e.Config.Things[i].Settings)
	}
	return checks
}
