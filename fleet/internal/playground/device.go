package playground

import (
	"fmt"
	"time"

	"pithings/awsiot/command"
	"pithings/awsiot/shadow"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/splitmix"
	"pithings/mqttlink/packet"
)

// Never is a time that does not come.
const Never time.Duration = -1

// Device is one device. It is made once for each of thousands, so it holds little: topics are made
// when they are used.
type Device struct {
	Name   string
	Target string // whose shadow a switch sets
	Kind   Kind
	Fresh  bool   // its shadow is to be seeded, as the playground's factory does
	Driven bool   // its start event and its telemetry are published by Start and Sample alone
	Seed   uint64 // its random numbers; it changes with each

	set   *Settings
	own   *own          // what was changed of it; nil: nothing
	next  time.Duration // when telemetry is due
	guard time.Duration // when a Defender report is due
	job   *job

	online  bool
	started bool
	phased  bool // its telemetry has a phase of its own
	lit     bool
	pressed bool // the last press was on
	temp    int8

	in, out traffic // since the last Defender report
}

// traffic counts messages.
type traffic struct{ bytes, packets uint32 }

func (t *traffic) note(topic string, payload []byte) {
	t.bytes += uint32(len(topic) + len(payload))
	t.packets++
}

// burst is how many values are published at once, where the interval is shorter than the time between
// two ticks. What is left is published at the next.
const burst = 20

// firstTemp is what the playground's devices report for ever. Ours begin there.
const firstTemp = 30

// New returns a device.
func New(set *Settings, d Device) *Device {
	d.set, d.temp, d.guard = set, firstTemp, Never
	if d.Driven {
		d.started, d.next = true, Never
	}
	if set.Defender > 0 && d.Kind.Services() {
		d.guard = set.Defender // the first sample is skipped, for numbers are differences
	}
	return &d
}

// Lit reports whether a bulb is lit.
func (d *Device) Lit() bool { return d.lit }

// Session returns what the device connects with.
func (d *Device) Session() engine.Session {
	s := engine.Session{Login: packet.Login{
		ClientID:  d.Name,
		KeepAlive: uint16(d.set.KeepAlive / time.Second),
		Will:      &packet.Message{Topic: d.topic("cmd/", "/lwt"), Payload: []byte(`{"msg":"Ouch Charlie...that really hurt","device":"` + d.Name + `"}`), QoS: 1},
	}}
	topics := []string{command.RequestTopic(d.Name)}
	if d.Kind.Services() {
		topics = []string{
			d.jobs("notify-next"), d.jobs("get/#"), d.jobs("+/get/+"), d.jobs("start-next/#"),
			shadow.Topic(d.Name, "", "get/+"), shadow.Topic(d.Name, "", shadow.UpdateAccepted),
			topics[0],
		}
	}
	for _, t := range topics {
		s.Filters = append(s.Filters, packet.Filter{Topic: t})
	}
	return s
}

func (d *Device) topic(before, behind string) string { return before + d.Name + behind }

func (d *Device) jobs(what string) string { return d.topic("$aws/things/", "/jobs/"+what) }

// Online implements engine.Client.
func (d *Device) Online(now time.Duration, out engine.Out) {
	d.online = true
	if !d.started {
		d.started, d.next = true, now
		d.Start(out)
	}
	if d.Fresh && d.Kind.Services() {
		d.send(out, shadow.Topic(d.Name, "", shadow.Update), []byte(`{"state":{"desired":{"debug":"off"}}}`), 0)
	}
	d.Fresh = false
	if d.Kind.Services() { // what was missed meanwhile
		d.send(out, d.jobs("get"), nil, 0)
		d.send(out, shadow.Topic(d.Name, "", shadow.Get), nil, 0)
	}
	d.Tick(now, out)
}

// Start publishes the start event, as a device that has forgotten all does.
func (d *Device) Start(out engine.Out) {
	d.temp, d.lit, d.pressed, d.job = firstTemp, false, false, nil
	d.send(out, d.topic("cmd/", "/event"), fmt.Appendf(nil, `{"device":"%s","ip":"%s"}`, d.Name, d.set.IP), 0)
}

// Offline implements engine.Client.
func (d *Device) Offline(time.Duration) {
	d.online = false
	d.answer(nil)
}

// Wake implements engine.Client.
func (d *Device) Wake() time.Duration {
	at := d.next
	if d.guard >= 0 {
		at = sooner(at, d.guard)
	}
	if d.job != nil {
		at = sooner(at, d.job.done)
	}
	return at
}

// sooner is the earlier of two times, of which the first may be Never.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// Tick implements engine.Client.
func (d *Device) Tick(now time.Duration, out engine.Out) {
	for range burst {
		if now < d.next || d.Driven {
			break
		}
		d.telemetry(now, out)
	}
	if d.guard >= 0 && now >= d.guard {
		d.report(out, d.set.Started.Add(now))
		d.guard = now + d.defender()
	}
	if d.job != nil && now >= d.job.done {
		d.finish(out)
	}
}

// telemetry publishes the next value. The second one comes after a random part of the interval,
// so that devices that connect together do not publish together for ever.
func (d *Device) telemetry(now time.Duration, out engine.Out) {
	d.send(out, d.telemetryTopic(), d.payload(), d.set.QoS)
	d.temp = drift(d.temp, d.random())
	interval := d.interval()
	switch {
	case !d.phased:
		d.phased = true
		d.next = now + part(interval, d.unit())
	case now >= d.next+max(interval, missed): // it was offline
		d.next = now + interval
	default:
		d.next += interval
	}
	d.maybePress(out)
}

// drift is the temperature behind another one.
func drift(temp int8, random uint64) int8 { return int8(min(max(int(temp)+int(random%3)-1, 20), 40)) }

// missed is how far behind telemetry may be to be made up for.
const missed = time.Second

// pressEvery is how many values of telemetry a switch publishes for a press.
const pressEvery = 4

// maybePress lets a switch press its button.
func (d *Device) maybePress(out engine.Out) {
	if d.Kind == Switch && d.random()%pressEvery == 0 && d.Target != "" {
		d.press(out)
	}
}

// press sets the status of another device, on and off in turn.
func (d *Device) press(out engine.Out) {
	d.switchTo(!d.pressed, out)
}

func (d *Device) switchTo(on bool, out engine.Out) {
	d.pressed = on
	d.send(out, shadow.Topic(d.Target, "", shadow.Update), []byte(`{"state":{"desired":{"status":"`+status(d.pressed)+`"}}}`), 0)
}

func status(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (d *Device) send(out engine.Out, topic string, payload []byte, qos byte) {
	d.out.note(topic, payload)
	out.Publish(packet.Message{Topic: topic, Payload: payload, QoS: qos})
}

// random returns the next number of the device.
func (d *Device) random() uint64 { return next(&d.Seed) }

// next returns the next number of a seed: a stream of one word of state.
func next(seed *uint64) uint64 {
	n := splitmix.Mix(*seed)
	*seed += splitmix.Step
	return n
}

// unit returns a number in [0, 1).
func (d *Device) unit() float64 { return float64(d.random()>>11) / (1 << 53) }
