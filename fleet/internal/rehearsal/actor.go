package rehearsal

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/scenario"
)

// actor is a device that follows a scenario: its track says what it publishes, and Do when its
// session ends. All methods are called with the lock of its shard.
type actor struct {
	engine.Client
	device *playground.Device // the same, if it is one; nil: it publishes by itself
	origin *time.Duration     // the start of the scenario, by the engine's clock
	score  *score
	track  scenario.Track
	item   scenario.Item // the next one
	due    time.Duration // when it is to be sent, by the engine's clock
	pace   time.Duration // no item that is late is sent before

	state     scenario.State
	bystander bool // no fault hits it
	online    bool
	meant     bool // the end of the session under way was
}

// retryTime is how long a message waits whose predecessors have no PUBACK.
const retryTime = 100 * time.Millisecond

// late is how far behind a message may be that is sent at once. One that is later comes at twice the
// pace of the scenario, so that a broker that is back is not flooded.
const late = time.Second

// burst is how many messages are sent at once, at most.
const burst = 20

// plan says when the next message is due.
func (a *actor) plan(now time.Duration) {
	if a.item.At == scenario.Never {
		a.due = playground.Never
		return
	}
	a.due = a.item.At + *a.origin
	if now > a.due+max(late, a.item.Every) {
		a.due = max(a.due, a.pace)
	}
}

// Online implements engine.Client.
func (a *actor) Online(now time.Duration, out engine.Out) {
	a.online = true
	a.score.online(a.state)
	if a.item.What == scenario.Restart { // a device says first that it has started
		a.act(now, 1, out)
	}
	a.Client.Online(now, out)
	a.act(now, burst, out)
}

// Offline implements engine.Client.
func (a *actor) Offline(now time.Duration) {
	a.online = false
	a.score.offline(a.bystander, a.meant)
	a.meant = false
	a.Client.Offline(now)
}

// Last implements engine.Leaver for a device that is one.
func (a *actor) Last(now time.Duration, out engine.Out) {
	if d, ok := a.Client.(engine.Leaver); ok {
		d.Last(now, out)
	}
}

// Wake implements engine.Client.
func (a *actor) Wake() time.Duration {
	at := a.Client.Wake()
	if at < 0 || a.due >= 0 && a.due < at {
		return a.due
	}
	return at
}

// Tick implements engine.Client.
func (a *actor) Tick(now time.Duration, out engine.Out) {
	a.Client.Tick(now, out)
	a.act(now, burst, out)
}

// act sends what is due, in the order of the track: a message that the engine would drop is sent
// later.
func (a *actor) act(now time.Duration, most int, out engine.Out) {
	for range most {
		if a.plan(now); a.due < 0 || a.due > now {
			return
		}
		free := out.Free()
		if free == 0 {
			a.due = now + retryTime
			return
		}
		a.score.sends(a.bystander, free)
		if a.item.What == scenario.Restart {
			a.device.Start(out)
		} else {
			a.device.Sample(faultOf(a.item.What), a.item.Size, out)
		}
		a.pace = max(a.pace, now-burst*time.Millisecond) + a.item.Every/2
		a.item = a.track.Next()
	}
	a.plan(now)
}

// faultOf is what is wrong with a message.
func faultOf(k scenario.Kind) playground.Fault {
	switch k {
	case scenario.Malformed:
		return playground.Malformed
	case scenario.Oversize:
		return playground.Oversize
	case scenario.WrongTopic:
		return playground.WrongTopic
	case scenario.Stuck:
		return playground.Stuck
	}
	return playground.Sound
}

// become makes the session what it is to be at a step. pulse is what happens to it at that moment.
// It reports whether the device is to join, by another call.
func (a *actor) become(is scenario.State, pulse scenario.Kind, out engine.Out) (join bool) {
	const bad = scenario.Wrong | scenario.Expired
	was := a.state
	a.state = is
	gone, mended := is&scenario.Away != 0, was&bad != 0 && is&bad == 0
	switch {
	case gone:
		out.Leave()
	case was&scenario.Away != 0:
		return true
	case mended: // without the pause of its last attempt
		out.Leave()
		join = true
	case pulse == scenario.Reconnect:
		out.Reconnect()
	case is&bad != was&bad || pulse != scenario.None:
		out.Break()
	}
	a.meant = a.online
	return join
}
