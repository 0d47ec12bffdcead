package hcsr501

import (
	"context"
	"time"

	"periph.io/x/conn/v3/gpio"
)

const (
	// minWait is the shortest wait for an edge. Some pins take a time-out that is
	// not positive for "forever".
	minWait = time.Millisecond
	// A wait that is over sooner than this did not wait. Some in a row are
	// normal, since pins queue edges; more are a storm or a broken pin, and are
	// slowed down to leave the processor to others.
	noWait    = time.Millisecond
	noWaits   = 32
	slowDown  = 10 * time.Millisecond
	checkPlan = 5 * time.Second // between checks of a quiet line
	checkSoon = time.Second     // between checks of a suspicious line
	checkFall = slowDown        // between checks of a line that falls
)

// watcher waits for edges and finds out whether the line is still there. Neither
// gpio.PinIn's Read nor its WaitForEdge can tell: a line that has gone reads as
// low, and its waits end at once or never. Its In can.
type watcher struct {
	*Dev
	early   int // waits in a row that did not wait
	checked time.Time
	high    gpio.Level // at the last sample
}

// fell checks a line that was high and reads as low: the end of motion should
// not be reported of a line that has gone.
func (w *watcher) fell(now time.Time, level gpio.Level) error {
	fell := w.high && !level
	w.high = level
	if !fell || now.Sub(w.checked) < checkFall {
		return nil
	}
	return w.check(now)
}

// wait returns after an edge or timeout, or with an error when the line has
// gone. level is what the line was before.
func (w *watcher) wait(ctx context.Context, timeout time.Duration, level gpio.Level) error {
	begin := time.Now()
	edge := w.pin.WaitForEdge(timeout)
	end := time.Now()
	took := end.Sub(begin)
	gaveUp := !edge && took < timeout/2
	if took < noWait {
		w.early++
	} else {
		w.early = 0
	}
	strange := gaveUp || w.early > noWaits
	if strange {
		// Not the whole time-out: the level counts, edge or not.
		timer := time.NewTimer(min(slowDown, timeout))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		case <-w.halted:
			return nil
		}
	}
	every := checkPlan
	if strange {
		every = checkSoon
	}
	if level == gpio.High || end.Sub(w.checked) < every {
		return nil
	}
	return w.check(end)
}

// check asks the pin whether it is still there.
func (w *watcher) check(now time.Time) error {
	w.checked = now
	// Same direction, edges and pull as before: for the kernel nothing changes
	// and no edge is lost. Other pins may forget one; the level is read next.
	return w.configure()
}
