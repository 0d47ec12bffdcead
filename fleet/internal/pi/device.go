package pi

import (
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/splitmix"
	"pithings/mqttlink"
	"pithings/mqttlink/packet"
	"pithings/things"
)

// Device is one Pi. There are thousands: it holds little, and topics are made when they are used.
type Device struct {
	Name  string
	Index int    // in the fleet
	Seed  uint64 // of all that it does

	set  *Settings
	line *Line // for flows of this process; nil: there are none

	began   time.Duration // its own time begins; Never: not yet
	reading int64         // the number of the next reading
	motion  time.Duration // when motion begins next; Never: it does not
	clear   time.Duration // when the screen is cleared; Never: it shows nothing
	random  random        // of motion
	camera  camera
	online  bool
}

// New returns a Pi.
func New(set *Settings, d Device) *Device {
	d.set, d.began, d.motion, d.clear, d.camera.done = set, Never, Never, Never, Never
	d.random = random(d.Seed)
	return &d
}

// presence is where a Pi reports whether it is there.
func (d *Device) presence(payload func(mqttlink.Presence) string) packet.Message {
	p := mqttlink.StatusOf(d.Name)
	return packet.Message{Topic: p.Topic, Payload: []byte(payload(p)), QoS: 1, Retain: true}
}

func online(p mqttlink.Presence) string  { return p.Online }
func offline(p mqttlink.Presence) string { return p.Offline }

// Session returns what the Pi connects with.
func (d *Device) Session() engine.Session {
	s := engine.Session{Login: packet.Login{ClientID: d.Name, KeepAlive: uint16(d.set.KeepAlive / time.Second)}}
	if d.set.Status {
		will := d.presence(offline)
		s.Login.Will = &will
	}
	c := d.set.contract()
	all := c.commands()
	if d.set.Flows {
		all = append(all, c.motion, c.finished)
	}
	for _, f := range all {
		s.Filters = append(s.Filters, packet.Filter{Topic: d.Name + f.topic, QoS: 1})
	}
	return s
}

// Online implements engine.Client.
func (d *Device) Online(now time.Duration, out engine.Out) {
	d.online = true
	if d.set.Status {
		out.Publish(d.presence(online))
	}
	if d.began < 0 {
		d.began = now
		if d.set.Motion > 0 {
			d.motion = now + d.random.exponential(d.set.Motion)
		}
	}
	d.pass(now)
	d.Tick(now, out)
}

// Offline implements engine.Client.
func (d *Device) Offline(time.Duration) { d.online = false }

// Last implements engine.Leaver.
func (d *Device) Last(_ time.Duration, out engine.Out) {
	if d.set.Status {
		out.Publish(d.presence(offline))
	}
}

// Wake implements engine.Client.
func (d *Device) Wake() time.Duration {
	at, _ := d.next()
	return at
}

// next returns what a Pi does next by itself, and when.
func (d *Device) next() (at time.Duration, do func(*Device, time.Duration, engine.Out)) {
	at, do = d.due(), (*Device).read
	for _, other := range []struct {
		at time.Duration
		do func(*Device, time.Duration, engine.Out)
	}{{d.motion, (*Device).move}, {d.camera.done, (*Device).click}, {d.clear, (*Device).expire}} {
		if other.at >= 0 && other.at < at {
			at, do = other.at, other.do
		}
	}
	return at, do
}

// burst is how much a Pi does at once, where the interval is shorter than the time between two
// ticks. What is left follows at the next.
const burst = 20

// Tick implements engine.Client. What is due is done in the order of its times, so that a late
// call changes no order.
func (d *Device) Tick(now time.Duration, out engine.Out) {
	for range burst {
		at, do := d.next()
		if at > now {
			return
		}
		do(d, at, out)
	}
}

// missed is how far behind readings may be to be made up for.
const missed = time.Second

// pass passes over what would have been published while the Pi was offline.
func (d *Device) pass(now time.Duration) {
	if late := max(d.set.Interval, missed); now-d.due() >= late {
		d.reading += int64((now-d.due())/d.set.Interval) + 1
	}
	for d.motion >= 0 && now-d.motion >= missed {
		d.motion = d.again(d.motion)
	}
}

// due returns when the next reading is: the first as the Pi connects, the second after a
// part of the interval, so that Pis that connect together do not measure together for ever.
func (d *Device) due() time.Duration {
	if d.reading == 0 {
		return d.began
	}
	return d.began + time.Duration(splitmix.Unit(d.Seed+1)*float64(d.set.Interval)) + time.Duration(d.reading-1)*d.set.Interval
}

// read publishes a reading.
func (d *Device) read(at time.Duration, out engine.Out) {
	c := d.set.contract()
	r := room(d.Seed, at-d.began, d.wall(at))
	for role, payload := range r.Payloads(things.Tutorial, d.reading) {
		out.Publish(c.readings[role].message(d.Name, payload))
	}
	d.reading++
	d.set.Counts.Readings.Add(1)
}

// wall is a time by the wall clock.
func (d *Device) wall(at time.Duration) time.Time { return d.set.Started.Add(at) }
