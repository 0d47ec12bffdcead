package pi

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/mqttlink/packet"
)

// Receive implements engine.Client.
func (d *Device) Receive(now time.Duration, m *packet.Message, out engine.Out) {
	c := d.set.contract()
	switch {
	case c.capture.is(d.Name, m.Topic):
		d.capture(now, m, out)
	case c.display.is(d.Name, m.Topic):
		d.display(now, m.Payload)
	case c.end.is(d.Name, m.Topic):
		d.blank()
	}
	if d.line != nil {
		d.line.receive(m)
	}
}
