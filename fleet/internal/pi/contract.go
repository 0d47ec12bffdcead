package pi

import (
	"strings"

	"pithings/mqttlink/packet"
	"pithings/mqttlink/topic"
	"pithings/things"
)

// parts are the kinds of the things of a Pi, in the order of run --mock. Their names are those of
// the Things Graph guide (things.Kind.Example).
var parts = []string{"motion", "environment", "camera", "screen"}

// contract is what the topics of a Pi's things look like. Before each stands the Pi's name, so that
// a broker can let each Pi into its own topics: DEV/TG_Camera/capture.
type contract struct {
	motion, finished      form
	capture, display, end form
	readings              map[string]form // by role
}

// form is one topic, without the Pi's name.
type form struct {
	topic  string
	qos    byte
	retain bool
}

func newContract() *contract {
	c := &contract{readings: map[string]form{}}
	for _, name := range parts {
		k := things.KindOf(name)
		for _, t := range k.Topics {
			f := form{"/" + topic.Expand(t.Template, k.Example), t.QoS, t.Retain}
			switch name + " " + t.Role {
			case "motion motion":
				c.motion = f
			case "camera capture":
				c.capture = f
			case "camera finished":
				c.finished = f
			case "screen display":
				c.display = f
			case "screen end":
				c.end = f
			default:
				c.readings[t.Role] = f
			}
		}
	}
	return c
}

// commands are the topics that a Pi subscribes to.
func (c *contract) commands() []form { return []form{c.capture, c.display, c.end} }

// message is one of a Pi's.
func (f form) message(device string, payload []byte) packet.Message {
	return packet.Message{Topic: device + f.topic, Payload: payload, QoS: f.qos, Retain: f.retain}
}

// is reports whether a topic is this one of a Pi.
func (f form) is(device, topic string) bool {
	rest, ok := strings.CutPrefix(topic, device)
	return ok && rest == f.topic
}
