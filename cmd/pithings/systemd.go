package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"pithings/agent"
)

// systemd tells the service manager how we are: that we are ready, one line of
// state, and that we are alive. Without one it does nothing.
type systemd struct{ log *slog.Logger }

func newSystemd(log *slog.Logger) systemd { return systemd{log} }

func (s systemd) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Debug("service manager not told", "state", state, "err", err)
	}
}

func (s systemd) ready() { s.notify(daemon.SdNotifyReady) }

// watch feeds the watchdog, at half its time, as long as the agent can tell its
// state: a missing camera is no reason to be restarted, a lock that is never
// released is. stop ends it.
func (s systemd) watch(a *agent.Agent) (stop func()) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return func() { s.notify(daemon.SdNotifyStopping) }
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval / 2)
		defer tick.Stop()
		for {
			s.notify(daemon.SdNotifyWatchdog + "\nSTATUS=" + status(a))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		s.notify(daemon.SdNotifyStopping)
	}
}

// status is the agent's state in one line: "3 of 4 things work; down: TG_Camera".
func status(a *agent.Agent) string {
	things := a.Health().Things()
	var down []string
	for _, name := range a.Health().Names() {
		if things[name].State == "down" {
			down = append(down, name)
		}
	}
	line := fmt.Sprintf("%d of %d things work", len(things)-len(down), len(things))
	if len(down) > 0 {
		line += "; down: " + strings.Join(down, ", ")
	}
	return line
}
