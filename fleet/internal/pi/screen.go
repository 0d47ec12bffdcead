package pi

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/things"
)

// clearAfter is how long a picture stays: the default of a screen's setting clear_after.
const clearAfter = 10 * time.Second

// display takes a command. The agent answers nothing and logs what is wrong; here it is counted.
func (d *Device) display(now time.Duration, payload []byte) {
	uri, err := things.ReadDisplay(payload)
	switch {
	case err != nil:
		d.set.Counts.refused("the command is no JSON object with imageUri, a text")
	case uri == "":
		d.blank()
	default:
		if why := d.set.Vet(uri); why != "" {
			d.set.Counts.refused(why)
			return
		}
		d.clear = now + clearAfter
		d.set.Counts.Shown.Add(1)
	}
}

// blank clears the screen.
func (d *Device) blank() {
	if d.clear >= 0 {
		d.clear = Never
		d.set.Counts.Cleared.Add(1)
	}
}

// expire clears the screen after its time.
func (d *Device) expire(time.Duration, engine.Out) { d.blank() }
