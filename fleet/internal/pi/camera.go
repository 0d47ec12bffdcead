package pi

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/splitmix"
	"pithings/mqttlink"
	"pithings/mqttlink/packet"
	"pithings/things"
)

// camera is a Pi's camera. One capture is in flight; commands that come meanwhile are
// answered together by one more, as package things has it.
type camera struct {
	done     time.Duration    // when the picture under way is taken; Never: there is none
	captures *things.Captures // nil before the first command
	asked    []string         // the tokens that the picture under way answers
	number   uint32           // of pictures taken
	more     bool             // another one is wanted
}

// A picture takes as long as a USB camera of a Pi: it is opened, and the exposure settles.
const (
	shutterLeast = 300 * time.Millisecond
	shutterMost  = 900 * time.Millisecond
)

// shutter is how long the next picture takes.
func (d *Device) shutter() time.Duration {
	return shutterLeast + time.Duration(splitmix.Unit(d.Seed+2+uint64(d.camera.number)*splitmix.Step)*float64(shutterMost-shutterLeast))
}

// capture takes a command.
func (d *Device) capture(now time.Duration, m *packet.Message, out engine.Out) {
	if m.Retain {
		return // the agent ignores it, too
	}
	c := &d.camera
	if c.captures == nil {
		c.captures = new(things.Captures)
	}
	take, again := c.captures.Command(mqttlink.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Dup: m.Dup, PacketID: m.ID}, d.wall(now))
	switch {
	case again != nil:
		answer := d.set.contract().finished.message(d.Name, things.FinishedPayload(again.URI, again.Token))
		answer.QoS = 0 // the first answer may be on its way
		d.set.Counts.Finished.Add(1)
		out.Publish(answer)
	case take && c.done >= 0:
		c.more = true
	case take:
		d.expose(now)
	}
}

// expose begins a picture.
func (d *Device) expose(now time.Duration) {
	c := &d.camera
	c.more, c.asked, c.done = false, c.captures.Begin(), now+d.shutter()
}

// click takes the picture and announces it, once for each token.
func (d *Device) click(at time.Duration, out engine.Out) {
	c := &d.camera
	c.number++
	uri := d.set.URI(d.Index, c.number)
	d.set.Counts.Captures.Add(1)
	for _, token := range c.asked {
		out.Publish(d.set.contract().finished.message(d.Name, things.FinishedPayload(uri, token)))
		d.set.Counts.Finished.Add(1)
	}
	c.captures.End(uri, d.wall(at))
	c.asked, c.done = nil, Never
	if c.more {
		d.expose(at)
	}
}
