package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"syscall"
	"time"
)

// State is how far the clock can be trusted.
type State int32

// The states of a clock.
const (
	Unset    State = iota // it reads earlier than this program was built
	Doubtful              // it may be right, but is not known to be
	Known
)

// String returns unset, doubtful or known.
func (s State) String() string {
	switch s {
	case Unset:
		return "unset"
	case Doubtful:
		return "doubtful"
	case Known:
		return "known"
	}
	return "unknown"
}

// Reason is why a clock is known; empty if it is not.
type Reason string

// The reasons.
const (
	ByKernel    Reason = "kernel"    // synchronised, says adjtimex
	ByTimesyncd Reason = "timesyncd" // synchronised, says systemd-timesyncd
	ByEarlier   Reason = "earlier"   // was synchronised earlier in this boot
	ByRTC       Reason = "rtc"       // set at boot from a real-time clock
	ByTrust     Reason = "trust"     // to be trusted, say the options
	BySystem    Reason = "system"    // the system keeps it by itself
	Alone       Reason = "alone"     // plausible, and there is no better source
)

// strong reports whether the time came from a time service.
func (r Reason) strong() bool { return r == ByKernel || r == ByTimesyncd }

// Verdict is what is to be thought of a clock at one moment.
type Verdict struct {
	State  State
	Reason Reason
	Reads  time.Time // the clock
	// Service is the time service that is awaited, if the state is Doubtful.
	Service string
	// Hidden says why the kernel cannot be asked; nil if it can.
	Hidden error

	built time.Time
}

// firstRelease is before any build of this program, for those that do not know
// when they were built.
var firstRelease = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// grace is how far the builder's clock may have been ahead.
const grace = 24 * time.Hour

// plausible reports whether a clock that reads now can be right in a program built
// at built, which may be zero.
func plausible(now, built time.Time) bool { return !now.Before(Floor(built).Add(-grace)) }

// Floor is the time that no clock can be right before, but for a day: when this
// program was built, or, if that is not known (zero), its first release.
func Floor(built time.Time) time.Time {
	if built.Before(firstRelease) {
		return firstRelease
	}
	return built
}

// Examine looks at the machine once. built is when this program was built.
func (m *Machine) Examine(built time.Time) Verdict {
	v := Verdict{State: Known, Reads: m.Now(), built: Floor(built)}
	if m.Root == nil {
		v.Reason = BySystem
		return v
	}
	if m.Synchronised != nil {
		var ok bool
		if ok, v.Hidden = m.Synchronised(); ok {
			v.Reason = ByKernel
			return v
		}
	}
	if _, err := fs.Stat(m.Root, "run/systemd/timesync/synchronized"); err == nil {
		v.Reason = ByTimesyncd
		return v
	}
	if !plausible(v.Reads, built) {
		v.State = Unset
		return v
	}
	if m.setByRTC(built) {
		v.Reason = ByRTC
		return v
	}
	if v.Service = m.timeService(); v.Service != "" {
		v.State = Doubtful
		return v
	}
	v.Reason = Alone
	return v
}

// setByRTC reports whether the kernel set its clock at boot from a real-time clock
// (hctosys in drivers/rtc/sysfs.c) that can be right itself. That of a Pi 5 without
// a battery is in 1970 after each loss of power; the kernel takes that for the time,
// and systemd puts the clock forward to when the machine was last on.
func (m *Machine) setByRTC(built time.Time) bool {
	clocks, _ := fs.Glob(m.Root, "sys/class/rtc/*/hctosys")
	for _, c := range clocks {
		if m.text(c) != "1" {
			continue
		}
		now, err := strconv.ParseInt(m.text(path.Join(path.Dir(c), "since_epoch")), 10, 64)
		if err == nil && plausible(time.Unix(now, 0), built) {
			return true
		}
	}
	return false
}

// what to do about a clock that is not known.
const advice = "see timedatectl; a clock that is right all the same is trusted with clock: trust"

// String is the verdict in one line; for a clock that is not known with what to do.
func (v Verdict) String() string {
	const day, minute = "2006-01-02", "2006-01-02 15:04 UTC"
	switch v.State {
	case Unset:
		return fmt.Sprintf("it reads %s, before this program was built (%s): the machine needs network and a time service, or set it; %s%s",
			v.Reads.UTC().Format(minute), v.built.UTC().Format(day), advice, v.hint())
	case Doubtful:
		return fmt.Sprintf("%s has not got the time yet: check the network and the time server; %s%s", v.Service, advice, v.hint())
	}
	switch v.Reason {
	case ByKernel:
		return "the kernel says that it is synchronised"
	case ByTimesyncd:
		return "systemd-timesyncd says that it is synchronised"
	case ByEarlier:
		return "it was synchronised earlier since the machine started"
	case ByRTC:
		return "a real-time clock set it when the machine started"
	case ByTrust:
		return "it is to be trusted (clock: trust, or simulated parts)"
	case Alone:
		return "no time service was found that could set it, so it is trusted although nothing vouches for it"
	}
	return "the system keeps it"
}

// hint explains why a clock may be synchronised without our knowing.
func (v Verdict) hint() string {
	if errors.Is(v.Hidden, syscall.EPERM) || errors.Is(v.Hidden, syscall.EACCES) {
		return " (the kernel may not be asked: leave ProtectClock= out of the unit, and allow adjtimex in its SystemCallFilter=)"
	}
	return ""
}
