package things

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pithings/hw"
)

// errNoLine is of an output whose line is not open, or not any more.
var errNoLine = errors.New("the output does not work at the moment: see pithings doctor")

// set switches the line, for a while if back is not 0. o.mu is held.
func (o *Output) set(on bool, back time.Duration) error {
	if o.line == nil {
		return fmt.Errorf("%s: %w", o.Pin, errNoLine)
	}
	if on {
		if other := o.locks.take(o.thing); other != "" {
			return fmt.Errorf("%s is on, and the interlock keeps %s off as long as it is: switch that off first", other, o.thing)
		}
		if !o.on || o.since.IsZero() {
			o.since = time.Now()
		}
		if limit := o.MaxOn.Duration; limit > 0 { // which no second command extends
			if rest := max(limit-time.Since(o.since), time.Millisecond); back == 0 || back > rest {
				back = rest
			}
		}
		// Before the line: a kill in between leaves a note of an output that is off.
		if err := o.note(back > 0); err != nil && back > 0 {
			if !o.on {
				o.locks.free(o.thing)
			}
			return err
		} else if err != nil {
			o.noteStays(err)
		}
	}
	if err := o.line.Set(on); err != nil {
		if !o.on {
			o.locks.free(o.thing)
		}
		o.fail(err)
		return err
	}
	if o.on != on {
		o.on = on
		o.tell(on)
	}
	if !on {
		o.locks.free(o.thing)
		if err := o.note(false); err != nil {
			o.noteStays(err)
		}
	}
	o.switchBack(back)
	return nil
}

// switchBack has the line switched to the other state after a while; 0: not at all. o.mu is
// held.
func (o *Output) switchBack(after time.Duration) {
	if after == 0 {
		o.back = time.Time{}
		o.timer.Stop()
		return
	}
	o.back = time.Now().Add(after)
	o.timer.Reset(after)
}

// stopped returns a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// due switches the line back, unless a newer command came just before.
func (o *Output) due() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back.IsZero() || time.Now().Before(o.back) {
		return
	}
	if err := o.set(!o.on, 0); err != nil {
		o.log.Error("output not switched back", "thing", o.thing, "err", err)
	}
}

// fail has Run open the line again. o.mu is held.
func (o *Output) fail(err error) {
	select {
	case o.failed <- err:
	default:
	}
}

// Run implements Thing: it holds the line as an output.
func (o *Output) Run(ctx context.Context, report func(error)) error {
	turns := o.loop("")
	defer turns.End()
	turns.Work()
	if err := o.open(); err != nil {
		return err
	}
	// A link that takes no messages must not keep the line from being switched off in time.
	var reporter sync.WaitGroup
	reporterCtx, end := context.WithCancel(ctx)
	reporter.Go(func() { o.reportAll(reporterCtx) })
	defer func() {
		end()
		o.release()
		reporter.Wait()
		o.last()
	}()
	report(nil)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		turns.Wait()
		select {
		case <-ctx.Done():
			return nil
		case err := <-o.failed:
			return err
		case <-o.timer.C:
			turns.Work()
			o.due()
		case <-tick.C:
			turns.Work()
			if err := o.check(); err != nil {
				return err
			}
		}
	}
}

// open makes the line an output, as at_start says.
func (o *Output) open() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.failed: // of the line of before
	default:
	}
	start := o.AtStart
	switch yes, err := o.noted(); {
	case yes && err != nil:
		o.log.Warn("output may have been on for a while only when the last process ended: it is switched off", "thing", o.thing, "err", err)
		start = outputOff
	case yes:
		o.log.Warn("output was on for a while only when the last process ended: it is switched off", "thing", o.thing)
		start = outputOff
	}
	if start == outputOn && o.locks.take(o.thing) != "" {
		start = outputOff
	}
	line, err := o.board.OpenOutput(o.Pin, hw.OutputOpts{ActiveLow: o.ActiveLow, Start: starts[start]})
	if err != nil {
		if !o.on { // or it was left on
			o.locks.free(o.thing)
		}
		return err
	}
	o.line, o.on, o.since = line, start == outputOn, time.Time{}
	if start == outputKeep {
		if o.on, err = line.Value(); err != nil {
			return errors.Join(err, o.close())
		}
	}
	// From here on limits and interlock hold for what was on before, too.
	if err := o.set(o.on, 0); err != nil {
		o.log.Error("output is switched off", "thing", o.thing, "err", err)
		if err := o.set(false, 0); err != nil {
			return errors.Join(err, o.close())
		}
	}
	if o.kept != nil { // by the broker
		if err := o.do(*o.kept); err != nil {
			o.log.Error("output not switched", "thing", o.thing, "err", err)
		}
		o.kept = nil
	}
	o.news = nil
	o.tell(o.on) // the first report
	return nil
}

// check looks whether the line is still there.
func (o *Output) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.line.Value(); err != nil && !errors.Is(err, hw.ErrUnsupported) {
		return err
	}
	return nil
}

// release gives the line back, as at_exit says.
func (o *Output) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.AtExit != outputKeep {
		if err := o.set(o.AtExit == outputOn, 0); err != nil {
			o.log.Error("output not switched at the end", "thing", o.thing, "err", err)
		}
	}
	if err := o.close(); err != nil {
		o.log.Warn("output not given back", "thing", o.thing, "err", err)
	}
}

// lastReport is how long the report of the last switching may take.
const lastReport = time.Second

// last reports what release did. The agent's context is done by now, and its links still take
// messages.
func (o *Output) last() {
	ctx, cancel := context.WithTimeout(context.Background(), lastReport)
	defer cancel()
	o.publish(ctx)
}

// close closes the line. One that is left on, or that could not be switched off, holds the
// interlock until it is off. o.mu is held.
func (o *Output) close() error {
	o.switchBack(0)
	line := o.line
	o.line = nil
	if !o.on {
		o.locks.free(o.thing)
	}
	return line.Close()
}
