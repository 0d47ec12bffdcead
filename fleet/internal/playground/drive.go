package playground

import "pithings/fleet/internal/engine"

// Fault is what is wrong with a message.
type Fault uint8

// The faults.
const (
	Sound      Fault = iota
	Malformed        // JSON that is cut off
	Oversize         // padded
	WrongTopic       // what the action autherr publishes
	Stuck            // the value before, once more
)

// Sample publishes the next value of telemetry. size is that of a payload that is too large, in bytes.
// The values follow from the seed, whatever is wrong with the messages.
func (d *Device) Sample(f Fault, size int, out engine.Out) {
	topic, payload, qos := d.telemetryTopic(), d.payload(), d.set.QoS
	switch f {
	case Malformed:
		payload = payload[:len(payload)-1]
	case Oversize:
		payload = pad(payload, size)
	case WrongTopic:
		topic, payload = errorTopic, []byte(errorPayload)
	}
	d.send(out, topic, payload, qos)
	if f != Stuck {
		d.temp = drift(d.temp, d.random())
	}
	d.maybePress(out)
}

// pad makes a JSON object so many bytes long, if it is shorter.
func pad(object []byte, size int) []byte {
	const before, behind = `,"padding":"`, `"}`
	n := size - (len(object) - 1) - len(before) - len(behind)
	if n <= 0 || len(object) < 3 { // {} has no key before the comma
		return object
	}
	b := make([]byte, 0, size)
	b = append(append(b, object[:len(object)-1]...), before...)
	for range n {
		b = append(b, 'x')
	}
	return append(b, behind...)
}
