package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/hw"
)

// Status is the outcome of looking at one part.
type Status string

// The outcomes. Only Fail makes a report a bad one.
const (
	OK   Status = "ok"
	Note Status = "note" // nothing wrong; good to know
	Warn Status = "warn" // works, or may work, but not as it should
	Fail Status = "fail" // does not work
)

// Result is what was found of one part. It is written to JSON as it is.
type Result struct {
	Part    string `json:"part"`
	Status  Status `json:"status"`
	Found   string `json:"found"`
	Problem string `json:"problem"`
	Fix     string `json:"fix"` // what to do, in one line

	cause error // in full, for those who want to see it
}

// Options say what is examined.
type Options struct {
	// Board has the parts.
	Board hw.Board
	// Config names the parts. Without one the usual parts of a Pi are examined:
	// GPIO17, I²C bus 1, /dev/video0 and /dev/fb0.
	Config *config.Config
	// Machine is what the board is plugged into; nil for a simulated board,
	// which has none.
	Machine *Machine
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
	root root
}

// check is one part to look at. The result's Part is filled in.
type check struct {
	part string
	look func(ctx context.Context, part string) []Result
}

// Examine looks at the machine and at every part, all at the same time, and
// returns what it found in a fixed order. A part that does not answer within
// Options.Limit is reported so and left alone: a call that hangs in the kernel
// cannot be ended, so its goroutine ends when the kernel returns. An error
// means that ctx ended.
func Examine(ctx context.Context, o Options) (Report, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limit <= 0 {
		o.Limit = 15 * time.Second
	}
	e := &examination{Options: o, root: o.Machine.files()}
	checks := append(e.machine(), e.parts()...)
	results := make([]Report, len(checks))
	var wait sync.WaitGroup
	for i, c := range checks {
		wait.Go(func() { results[i] = e.bounded(ctx, c) })
	}
	wait.Wait()
	var report Report
	for _, r := range results {
		report = append(report, r...)
	}
	return report, ctx.Err()
}

// bounded runs one check, but not for longer than it may take.
func (e *examination) bounded(ctx context.Context, c check) Report {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	done := make(chan Report, 1)
	go func() { done <- c.look(ctx, c.part) }()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return Report{{Part: c.part, Status: Fail,
			Problem: fmt.Sprintf("no answer within %v: a device or its driver hangs", e.Limit),
			Fix:     "unplug the part and plug it in again, or restart the board; dmesg may tell which driver waits"}}
	}
}

// parts lists the checks of the things, or of the usual parts.
func (e *examination) parts() []check {
	if e.Config == nil {
		return []check{
			e.motion("motion", "GPIO17"),
			e.sensor("sensor", "1", 0),
			e.camera("camera", "/dev/video0", config.FormatAuto),
			e.screen("screen", "/dev/fb0"),
		}
	}
	var checks []check
	for i := range e.Config.Things {
		switch t := &e.Config.Things[i]; t.Type {
		case config.MotionType:
			checks = append(checks, e.motion(t.Name, t.Motion.Pin))
		case config.EnvironmentType:
			checks = append(checks, e.sensor(t.Name, t.Environment.Bus, uint16(t.Environment.Address)))
		case config.CameraType:
			checks = append(checks, e.camera(t.Name, t.Camera.Device, t.Camera.Format))
		case config.ScreenType:
			checks = append(checks, e.screen(t.Name, t.Screen.Device))
		}
	}
	return checks
}

func found(part, format string, args ...any) Result {
	return Result{Part: part, Status: OK, Found: fmt.Sprintf(format, args...)}
}
