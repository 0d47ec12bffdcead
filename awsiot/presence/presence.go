// Package presence reads what AWS IoT Core publishes when a client connects or disconnects:
//
//	$aws/events/presence/connected/pi     {"clientId":"pi","timestamp":1573002230757,"eventType":"connected",…}
//	$aws/events/presence/disconnected/pi  {…,"clientInitiatedDisconnect":false,"disconnectReason":"CONNECTION_LOST"}
//
// It implements "Lifecycle events" of the AWS IoT Core developer guide. Events may arrive out of
// order and more than once; [Event.Newer] puts two of one client in order.
package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
	"pithings/quietlog"
)

// prefix is how the topics begin; connected or disconnected and the client id follow.
const prefix = "$aws/events/presence/"

// The values of eventType.
const (
	connected    = "connected"
	disconnected = "disconnected"
)

// MaxEvent is the longest event that is read, in bytes. AWS's have 400.
const MaxEvent = 8 << 10

// Event is a client's connection or its end.
type Event struct {
	Client    string
	Connected bool
	At        time.Time
	// Version counts the connections of a client. A connection and its end have the same.
	// After an hour without a connection it begins again at 0.
	Version   int64
	Session   string     // the connection's; "" if it is not given
	Principal string     // certificate or user that it has logged in with; "" if it is not given
	Address   netip.Addr // of the client; of Connected only, and not always
	// ByClient is that the client has ended the connection, and Reason is AWS's word for why
	// it has ended: CONNECTION_LOST, DUPLICATE_CLIENTID, … Both are of an end only.
	ByClient bool
	Reason   string
}

// Filter is what to subscribe to for the events of a client; "+" is every client.
func Filter(client string) string { return prefix + "+/" + client }

// Parse reads an event.
func Parse(name string, payload []byte) (e Event, err error) {
	rest, ok := strings.CutPrefix(name, prefix)
	kind, client, found := strings.Cut(rest, "/")
	if !ok || !found || client == "" || kind != connected && kind != disconnected {
		return e, fmt.Errorf("%s is no topic of presence", quietlog.Short(name))
	}
	if len(payload) > MaxEvent {
		return e, fmt.Errorf("event of %s: it has %d bytes; at most %d are read", quietlog.Short(client), len(payload), MaxEvent)
	}
	var in struct {
		ClientID  string `json:"clientId"`
		Timestamp int64  `json:"timestamp"` // Unix milliseconds
		EventType string `json:"eventType"`
		Session   string `json:"sessionIdentifier"`
		Principal string `json:"principalIdentifier"`
		Address   string `json:"ipAddress"`
		Version   int64  `json:"versionNumber"`
		ByClient  bool   `json:"clientInitiatedDisconnect"`
		Reason    string `json:"disconnectReason"`
	}
	bad := func(err error) (Event, error) {
		return Event{}, fmt.Errorf("event of %s: %w", quietlog.Short(client), err)
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return bad(err)
	}
	switch {
	case in.ClientID != client:
		return bad(fmt.Errorf("it is of client %q", quietlog.Short(in.ClientID)))
	case in.EventType != kind:
		return bad(fmt.Errorf("its eventType is %q", quietlog.Short(in.EventType)))
	case in.Timestamp <= 0 || in.Timestamp > lastMilli:
		return bad(errors.New("it has no timestamp in milliseconds"))
	case in.Version < 0:
		return bad(fmt.Errorf("its versionNumber is %d", in.Version))
	}
	e = Event{Client: client, Connected: kind == connected, At: time.UnixMilli(in.Timestamp), Version: in.Version, Session: in.Session, Principal: in.Principal}
	if e.Connected {
		e.Address, _ = netip.ParseAddr(in.Address) // "" for some clients
	} else {
		e.ByClient, e.Reason = in.ByClient, in.Reason
	}
	return e, nil
}

// lastMilli is the end of the year 9999 in Unix milliseconds.
const lastMilli = 253402300799999

// forgotten is after how long without a connection versions begin again.
const forgotten = time.Hour

// Newer reports whether e says what is so after other, an event of the same client.
func (e Event) Newer(other Event) bool {
	if apart := e.At.Sub(other.At); apart.Abs() >= forgotten || e.Version == other.Version && e.Connected == other.Connected {
		return apart > 0
	}
	if e.Version != other.Version {
		return e.Version > other.Version
	}
	return !e.Connected // the end of a connection follows it
}

// Watch calls fn for the events of a client, or of every one for "+", until cancel. What is no
// event is handed to bad.
func Watch(link mqttlink.Client, client string, fn func(Event), bad func(error)) (cancel func(), err error) {
	filter := Filter(client)
	if err := topic.CheckFilter(filter); err != nil {
		return nil, err
	}
	return link.Subscribe(filter, 1, func(_ context.Context, m mqttlink.Message) {
		e, err := Parse(m.Topic, m.Payload)
		if err != nil {
			bad(err)
			return
		}
		fn(e)
	})
}
