package mqttlink

import (
	"pithings/mqttlink/topic"
)

// A retained message shows whether a client is there: the client publishes it at each connect
// (birth) and as it stops (close), and the broker when the client vanishes (the will, of which
// MQTT allows one for each connection).
//
//	CONNECT, will → CONNACK → birth → PUBACK → SUBSCRIBE, messages … → close → PUBACK → DISCONNECT

// Presence is where a connection reports whether it is there.
type Presence struct {
	Topic           string
	Online, Offline string // the payloads, retained
}

// StatusOf returns the presence of a client under Options.Status.
func StatusOf(clientID string) Presence {
	return Presence{Topic: clientID + "/status", Online: "online", Offline: "offline"}
}

func (p Presence) message(payload string) *Message {
	return &Message{Topic: p.Topic, Payload: []byte(payload), QoS: 1, Retain: true}
}

// presence returns where the connection reports whether it is there, if it does: by Status,
// or by a will and a birth message that are retained on one topic.
func (o *Options) presence() (p Presence, ok bool) {
	will, birth := o.Will, o.Birth
	if will == nil || birth == nil || will.Topic != birth.Topic || !will.Retain || !birth.Retain {
		return p, false
	}
	return Presence{Topic: will.Topic, Online: string(birth.Payload), Offline: string(will.Payload)}, true
}

// checkPresence checks will, birth and close, and makes them for Status.
func (o *Options) checkPresence() error {
	all := []struct {
		name string
		m    **Message
	}{{"will", &o.Will}, {"birth", &o.Birth}, {"close", &o.Close}}
	p := StatusOf(o.ClientID)
	if o.Status {
		for _, x := range all {
			if *x.m != nil {
				return fault(BadOption, nil, "status and %s are both given, and a connection has one will: leave one of them out", x.name)
			}
		}
		o.Will, o.Birth, o.Close = p.message(p.Offline), p.message(p.Online), p.message(p.Offline)
	}
	for _, x := range all {
		m := *x.m
		if m == nil {
			continue
		}
		if err := o.Limits.check(*m); err != nil {
			return fault(BadOption, err, "%s: %v", x.name, err)
		}
		if x.name == "will" && len(m.Payload) > topic.MaxBytes { // MQTT 3.1.1 section 3.1.3.3
			return fault(BadOption, nil, "will: payload of %d bytes, at most %d are allowed", len(m.Payload), topic.MaxBytes)
		}
	}
	return nil
}
