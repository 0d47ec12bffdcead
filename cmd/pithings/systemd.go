package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"pithings/agent"
	"pithings/pulse"
)

// longestTurn is how long a loop of a connection or of a thing may be at one turn without coming
// forward. The longest are those that wait for the disk: a bad SD card may write nothing for a
// minute.
const longestTurn = 3 * time.Minute

// systemd notifies the service manager: that the agent is ready, one line of state, and that
// it is alive. Without a service manager it does nothing.
type systemd struct {
	log   *slog.Logger
	every time.Duration // feeds the watchdog; 0: there is none
	// pulse has the loops whose movement feeds it; nil: there is none.
	pulse *pulse.Pulse
}

func newSystemd(log *slog.Logger) systemd {
	s := systemd{log: log}
	if interval, err := daemon.SdWatchdogEnabled(false); err == nil && interval > 0 {
		s.every, s.pulse = interval/2, pulse.New()
	}
	return s
}

func (s systemd) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Debug("service manager not notified", "state", state, "err", err)
	}
}

func (s systemd) ready() { s.notify(daemon.SdNotifyReady) }

// reloading notifies it that a reload has begun, and the end that it is over. It wants the
// time of the request then, in µs of CLOCK_MONOTONIC (sd_notify(3)).
func (s systemd) reloading() (end func()) {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	return s.ready
}

// watch feeds the watchdog, at half its time, as long as the loops of the connections and
// things move and the agent can show its state: a missing camera is no reason to be restarted,
// a lock that is never released is. stop ends it.
func (s systemd) watch(a *agent.Agent) (stop func()) {
	if s.pulse == nil {
		return func() { s.notify(daemon.SdNotifyStopping) }
	}
	done, ended := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(s.every)
	go func() {
		defer close(ended)
		s.feed(tick.C, done, longestTurn, func() string { return status(a) })
	}()
	return func() {
		tick.Stop()
		close(done)
		<-ended
		s.notify(daemon.SdNotifyStopping)
	}
}

// feed feeds the watchdog at once and at each tick, until done, but not while a loop has been at
// one turn for longer than limit.
func (s systemd) feed(tick <-chan time.Time, done <-chan struct{}, limit time.Duration, status func() string) {
	var before string
	for {
		stuck := strings.Join(s.pulse.Stuck(limit), "; ")
		switch line := status(); {
		case stuck == "":
			s.notify(daemon.SdNotifyWatchdog + "\nSTATUS=" + line)
		case stuck != before:
			s.log.Error("part of the program hangs; the service manager ends it and starts it again", "loops", stuck, "for", limit)
			s.notify("STATUS=hangs: " + inOneLine(stuck))
		}
		before = stuck
		select {
		case <-done:
			return
		case <-tick:
		}
	}
}

// status is the agent's state in one line: "3 of 4 things work; down: TG_Camera; no
// connection to mqtts://hall:8883: refused, 17 messages wait".
func status(a *agent.Agent) string {
	return statusLine(a.Health().Names(), a.Health().Things(), a.Missing())
}

func statusLine(names []string, things map[string]agent.ThingState, missing []string) string {
	var down []string
	for _, name := range names {
		if things[name].State == "down" {
			down = append(down, name)
		}
	}
	line := fmt.Sprintf("%d of %d things work", len(things)-len(down), len(things))
	if len(down) > 0 {
		line += "; down: " + strings.Join(down, ", ")
	}
	for _, m := range missing {
		line += "; no connection to " + m
	}
	return inOneLine(line)
}

// inOneLine keeps what is in a text from being more than one assignment of sd_notify(3).
func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
