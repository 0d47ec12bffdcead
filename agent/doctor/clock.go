package doctor

import (
	"context"
	"fmt"

	"pithings/agent/config"
	"pithings/hw/probe"
	"pithings/mqttlink/clock"
)

// clock checks whether this machine's clock is known to be right, by the agent's rules.
func (e *examination) clock(_ context.Context, part string) []probe.Result {
	r := probe.Found(part, "%s", e.Now().UTC().Format("2006-01-02 15:04 UTC"))
	if e.Machine == nil {
		return []probe.Result{r} // simulated parts, for which it is trusted
	}
	m := e.Clock
	m.Now = e.Now
	v := m.Examine(e.Built)
	trusted := e.Config != nil && e.Config.Clock == config.ClockTrust
	const wait = "wait until `timedatectl` says that the clock is synchronized; if it is right all the same, say clock: trust"
	switch {
	case v.State == clock.Unset:
		r.Status = probe.Warn
		r.Problem = fmt.Sprintf("that is before this program was made (%s), so nothing is dated and no encrypted connection is opened until it is set",
			clock.Floor(e.Built).UTC().Format("2006-01-02"))
		if trusted {
			r.Problem = fmt.Sprintf("that is before this program was made (%s), and with clock: trust readings get that date, and TLS certificates seem not yet valid",
				clock.Floor(e.Built).UTC().Format("2006-01-02"))
		}
		r.Fix = "sudo timedatectl set-ntp true, and wait until `timedatectl` says that the clock is synchronized"
	case trusted:
		r.Found += ", which is to be trusted (clock: trust)"
	case v.State == clock.Doubtful:
		r.Status = probe.Warn
		r.Problem = "not known to be right, because " + v.Service + " has not got the time yet: readings wait in the queue to be dated"
		r.Fix = "check the network and the time server, and " + wait
		if v.Hidden != nil {
			r.Problem += fmt.Sprintf("; the kernel may not be asked either (%v)", v.Hidden)
			r.Cause = v.Hidden
		}
	case v.Reason == clock.Alone:
		r.Status = probe.Note
		r.Problem = "trusted, because no time service was found that could set it"
		r.Fix = "sudo apt install systemd-timesyncd, or, with another way of setting it, say clock: trust"
	default:
		r.Found += ": " + v.String()
	}
	return []probe.Result{r}
}
