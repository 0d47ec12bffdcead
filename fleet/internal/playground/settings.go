package playground

import (
	"strconv"
	"time"

	web "pithings/awsiot/playground"
)

// Settings are what all devices have in common.
type Settings struct {
	Interval  time.Duration // between two values of telemetry
	Defender  time.Duration // between two reports; 0: none
	QoS       byte          // of telemetry; all else has QoS 0, as in the playground
	KeepAlive time.Duration
	IP        string    // this machine's address, for the start event
	Broker    string    // the broker's address and port, for Defender's reports
	Started   time.Time // the start of all times
}

// own is what a device has of its own where it was changed from outside. Few of thousands have it.
type own struct {
	interval time.Duration  // 0: as in Settings
	defender *time.Duration // nil: as in Settings; 0: no reports
	topic    string         // a template; "": the playground's
	payload  []byte         // nil: the temperature
	clean    bool           // it says goodbye before it connects anew
	asked    []func([]byte) // wait for the device's shadow
}

// custom returns what a device has of its own, to change it.
func (d *Device) custom() *own {
	if d.own == nil {
		d.own = new(own)
	}
	return d.own
}

// interval is the time between two values of the device's telemetry.
func (d *Device) interval() time.Duration {
	if d.own != nil && d.own.interval > 0 {
		return d.own.interval
	}
	return d.set.Interval
}

// defender is the time between two of its reports; 0: it sends none.
func (d *Device) defender() time.Duration {
	if d.own != nil && d.own.defender != nil {
		return *d.own.defender
	}
	return d.set.Defender
}

// telemetryTopic is where the device's telemetry goes.
func (d *Device) telemetryTopic() string {
	if d.own != nil && d.own.topic != "" {
		return web.Expand(d.own.topic, d.Name)
	}
	return d.topic("dt/ac/company1/area1/", "/temp") // web.Telemetry, at less cost
}

// payload is what the device's next telemetry says.
func (d *Device) payload() []byte {
	if d.own != nil && d.own.payload != nil {
		return d.own.payload
	}
	return append(strconv.AppendInt([]byte(`{"temp": `), int64(d.temp), 10), '}')
}

// answer hands the shadow to those who asked for it from outside.
func (d *Device) answer(payload []byte) {
	if d.own == nil {
		return
	}
	for _, f := range d.own.asked {
		f(payload)
	}
	d.own.asked = nil
}

// part is a part of a time.
func part(d time.Duration, of float64) time.Duration { return time.Duration(float64(d) * of) }
