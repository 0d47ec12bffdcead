package pi

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/things"
)

// An HC-SR501 (package hcsr501 has its datasheet): its output is high while it sees motion and for a
// time behind it, which its left knob sets, and then it is blind for a while. Its jumper is at H, so that
// motion prolongs the pulse.
const (
	knob  = 5 * time.Second
	blind = 3 * time.Second
	stays = 10 * time.Second // how long a person moves before it, on average
)

// move publishes that motion begins. Its end is not published, as the agent's setting
// publish: detected has it.
func (d *Device) move(at time.Duration, out engine.Out) {
	out.Publish(d.set.contract().motion.message(d.Name, things.MotionPayload(true)))
	d.set.Counts.Motions.Add(1)
	d.motion = d.again(at)
}

// again returns when motion begins after one that began at a time.
func (d *Device) again(at time.Duration) time.Duration {
	return at + d.random.exponential(stays) + knob + blind + d.random.exponential(d.set.Motion)
}

// Between is the average time from one motion to the next, with that average between the end of the
// sensor's pulse and the next motion.
func Between(quiet time.Duration) time.Duration { return quiet + stays + knob + blind }
