package mqttlink

import (
	"fmt"
	"strings"
	"sync/atomic"

	"pithings/mqttlink/endpoint"
	"pithings/pulse"
	"pithings/quietlog"
)

// base is what all parts of a link share. Its options do not change.
type base struct {
	o        Options
	endpoint endpoint.Endpoint
	quiet    *quietlog.Repeats
	counts   counts
	holding  atomic.Bool // see Link.Hold
	tap      atomic.Pointer[func(in bool, m *Message)]
}

// loop adds a loop of the link to its pulse; what is "" for that of Run.
func (b *base) loop(what string) *pulse.Loop {
	if b.o.Pulse == nil {
		return nil
	}
	return b.o.Pulse.Loop(strings.TrimSuffix("connection as "+short(b.o.ClientID)+", "+what, ", "))
}

// passes hands a message to the tap, if there is one.
func (b *base) passes(in bool, m *Message) {
	if call := b.tap.Load(); call != nil {
		(*call)(in, m)
	}
}

func quoteID(id string) string { return fmt.Sprintf("client id %q", short(id)) }

// lacks names what the broker most likely does not allow when it closes the connection
// upon messages to a topic.
func (b *base) lacks(topic string) string {
	return quoteID(b.o.ClientID) + " lacks permission: " + b.o.Limits.permission(topic, false)
}
