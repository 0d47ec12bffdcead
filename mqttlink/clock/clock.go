package clock

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a clock is checked.
type Options struct {
	// Trust makes the clock known whatever the machine says.
	Trust bool
	// Built is when this program was built: no clock is right that reads earlier.
	// Zero if that is not known.
	Built time.Time
	// Dir is the folder of the file of the boots; without one, what is still queued
	// after the next boot is not dated then.
	Dir string
	// Machine is what is looked at; nil: this machine.
	Machine *Machine
	Log     *slog.Logger // nil: nothing is logged
}

// Stamp is a moment by the clock that runs from boot to shutdown.
type Stamp struct {
	Boot [16]byte      // which boot, by its id; all zero: there is no stamp
	Mono time.Duration // since then (CLOCK_BOOTTIME)
}

// Clock knows whether this machine's clock can be trusted. Its methods may be
// called from several goroutines at once. A nil Clock is always known, and dates
// no stamps.
type Clock struct {
	o    Options
	m    Machine
	boot [16]byte
	log  *slog.Logger

	state atomic.Int32

	mu      sync.Mutex
	verdict Verdict
	since   time.Time     // of the state, with its monotonic reading
	changed chan struct{} // closed, and made anew, when the state changes
	learned time.Time     // when it became known, with its monotonic reading; zero: it was from the start
	began   time.Time     // this boot, if known
	boots   []boot        // of the file, and this one if known
}

// Poll is how often a clock that is not known is looked at. Files that could not
// be written are tried again after saveRetry, doubled up to saveRetryMost.
const (
	Poll          = time.Second
	saveRetry     = time.Minute
	saveRetryMost = time.Hour
)

// New returns a clock, after a first look. Run does the rest.
func New(o Options) *Clock {
	c := &Clock{o: o, log: o.Log, changed: make(chan struct{}), since: time.Now()}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if o.Machine != nil {
		c.m = *o.Machine
	} else {
		c.m = ThisMachine()
	}
	var ok bool
	if c.boot, ok = c.m.boot(); !ok {
		rand.Read(c.boot[:]) // never fails; no other process will know this boot
	}
	if o.Dir != "" && c.m.Root != nil {
		c.boots = readBoots(o.Dir)
	}
	c.look()
	v := c.Verdict()
	switch {
	case v.State != Known:
		c.log.Info("this machine's clock is not known to be right yet: what is measured is dated later", "why", v.String())
	case v.Reason == Alone:
		c.log.Warn("this machine's clock is trusted, because no time service was found that could set it; install one (systemd-timesyncd, chrony), or say clock: trust",
			"reads", v.Reads.UTC().Format(time.RFC3339))
	}
	return c
}

// Run looks at the clock until it is known, and writes the file of the boots. It
// returns nil when that is done, or ctx is.
func (c *Clock) Run(ctx context.Context) error {
	if c == nil {
		return nil
	}
	retry := saveRetry
	for ctx.Err() == nil {
		wait := Poll
		if c.State() != Known && c.look() == Known {
			v := c.Verdict()
			c.log.Info("this machine's clock is known to be right now", "because", v.String(), "reads", v.Reads.UTC().Format(time.RFC3339))
		}
		if c.State() == Known {
			err := c.save()
			if err == nil {
				return nil
			}
			if retry == saveRetry {
				c.log.Warn("boot time cannot be saved: messages from before the clock was known that are still queued after the next start will have no time; it is tried again",
					"dir", c.o.Dir, "err", reason(err))
			}
			wait, retry = retry, min(2*retry, saveRetryMost)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// look checks the clock and notes the result.
func (c *Clock) look() State {
	var v Verdict
	if c.o.Trust {
		v = Verdict{State: Known, Reason: ByTrust, Reads: c.m.Now(), built: Floor(c.o.Built)}
	} else {
		v = c.m.Examine(c.o.Built)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, earlier := c.entry(c.boot)
	if earlier && entry.by.strong() && !v.Reason.strong() && plausible(v.Reads, c.o.Built) {
		v.State, v.Reason = Known, ByEarlier
	}
	first := c.verdict.Reads.IsZero()
	before := c.verdict.State
	c.verdict = v
	if v.State == Known {
		switch {
		case c.m.Uptime == nil:
		case earlier && (entry.by.strong() || !v.Reason.strong()):
			// What was dated by it before is dated the same again, and the time does not
			// jump for the outbox because the wall clock was set between two processes.
			c.began = entry.began
		default:
			c.began = c.m.began()
			// A clock that is trusted only because the user says so may still be 1970's.
			if plausible(v.Reads, c.o.Built) {
				c.boots = putBoot(c.boots, boot{id: c.boot, began: c.began, by: v.Reason})
			}
		}
		if !first {
			c.learned = time.Now()
		}
	}
	if v.State != before || first {
		c.since = time.Now()
		c.state.Store(int32(v.State))
		close(c.changed)
		c.changed = make(chan struct{})
	}
	return v.State
}

// began returns when the machine was started, by its two clocks. What comes between
// two looks at a busy machine would be an error: the narrowest of some looks counts.
func (m *Machine) began() (began time.Time) {
	narrowest := time.Duration(math.MaxInt64)
	for range 8 {
		before := m.Uptime()
		now := m.Now().Round(0)
		if width := m.Uptime() - before; width < narrowest {
			narrowest, began = width, now.Add(-before-width/2)
		}
	}
	return began
}

// entry returns what the file of the boots has of one. The lock is held.
func (c *Clock) entry(id [16]byte) (boot, bool) {
	for i := len(c.boots) - 1; i >= 0; i-- {
		if c.boots[i].id == id {
			return c.boots[i], true
		}
	}
	return boot{}, false
}

// save writes the file of the boots, if it lacks this one.
func (c *Clock) save() error {
	c.mu.Lock()
	b, ok := c.entry(c.boot)
	c.mu.Unlock()
	if c.o.Dir == "" || !ok || saved(c.o.Dir, b) {
		return nil
	}
	// A process beside us may have written since we read.
	return writeBoots(c.o.Dir, putBoot(readBoots(c.o.Dir), b))
}

// State returns how far the clock can be trusted.
func (c *Clock) State() State {
	if c == nil {
		return Known
	}
	return State(c.state.Load())
}

// Known reports whether the clock is known to be right. Once it is, it stays so.
func (c *Clock) Known() bool { return c.State() == Known }

// Changed returns a channel that is closed when the state changes. Ask for it
// before the state. That of a nil Clock is never closed.
func (c *Clock) Changed() <-chan struct{} {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Verdict returns what the last look found.
func (c *Clock) Verdict() Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict
}

// Since returns when the state began, as the clock reads now.
func (c *Clock) Since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.Now().Round(0).Add(-time.Since(c.since))
}

// Now returns the time, or the zero Time while it is not known. On Linux it goes
// by the clock that runs since boot: when the wall clock is set after it had
// become known, Now neither jumps nor goes back.
func (c *Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	if !c.Known() {
		return time.Time{}
	}
	if c.m.Uptime == nil {
		return c.m.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began.Add(c.m.Uptime())
}

// KnownAt reports whether the clock was known when t was read from it. t should
// have its monotonic reading, as time.Now returns it. The zero Time is now.
func (c *Clock) KnownAt(t time.Time) bool {
	if !c.Known() {
		return false
	}
	if c == nil || t.IsZero() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.After(c.learned) // at the same moment: dated by its stamp, which is right in any case
}

// Stamp returns the stamp of t, which must have its monotonic reading, as time.Now
// returns it. The zero Time is now.
func (c *Clock) Stamp(t time.Time) Stamp {
	if c == nil || c.m.Uptime == nil {
		return Stamp{}
	}
	mono := c.m.Uptime()
	if !t.IsZero() {
		mono = min(max(0, mono-time.Since(t)), mono)
	}
	return Stamp{Boot: c.boot, Mono: mono}
}

// Date returns the time of a stamp, and whether it is known: that of one of this
// boot when the clock is, that of one of an earlier boot if the clock became known
// in it.
func (c *Clock) Date(s Stamp) (time.Time, bool) {
	if c == nil || s.Mono < 0 || s.Mono > maxUptime {
		return time.Time{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Boot == c.boot {
		if c.verdict.State != Known || c.m.Uptime == nil {
			return time.Time{}, false
		}
		return c.began.Add(s.Mono), true
	}
	b, ok := c.entry(s.Boot)
	return b.began.Add(s.Mono), ok
}

// Pending reports whether a stamp cannot be dated now, but can when the clock is
// known.
func (c *Clock) Pending(s Stamp) bool { return c != nil && s.Boot == c.boot && !c.Known() }

// Age returns how long ago a stamp was made, and whether that is known. That of
// one of this boot always is.
func (c *Clock) Age(s Stamp) (time.Duration, bool) {
	switch {
	case c == nil || s.Boot == [16]byte{} || s.Mono < 0 || s.Mono > maxUptime:
		return 0, false
	case s.Boot == c.boot && c.m.Uptime != nil:
		age := c.m.Uptime() - s.Mono
		return age, age >= 0
	}
	made, ok := c.Date(s)
	now := c.Now()
	if !ok || now.IsZero() {
		return 0, false
	}
	return now.Sub(made), true
}

// String returns the state and why.
func (c *Clock) String() string {
	if c == nil {
		return "known"
	}
	return fmt.Sprintf("%s: %s", c.State(), c.Verdict())
}
