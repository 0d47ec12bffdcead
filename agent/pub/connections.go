package pub

import (
	"context"
	"net/http"

	"pithings/agent/control"
	"pithings/mqttlink"
)

// Connection is how one connection of a folder's owner is doing.
type Connection struct {
	Name     string `json:"name"` // "" is the usual one
	ClientID string `json:"client_id"`
	Endpoint string `json:"endpoint"`
	State    string `json:"state"`
	Error    string `json:"error,omitempty"`
	Messages int    `json:"messages"` // that wait
	Bytes    int64  `json:"bytes"`
	Held     int    `json:"held,omitempty"`
}

const connectionsPath = "/v1/connections"

// ServeConnections tells other processes of the connections.
func ServeConnections(s *control.Server, connections func() []Connection) {
	s.HandleJSON("GET "+connectionsPath, func(*http.Request) (any, error) { return connections(), nil })
}

// Connections asks the owner for its connections.
func Connections(ctx context.Context, c *control.Client) (all []Connection, err error) {
	return all, c.Do(ctx, http.MethodGet, connectionsPath, nil, &all)
}

func ConnectionOf(name string, l *mqttlink.Link) Connection {
	s := l.Stats()
	return Connection{Name: name, ClientID: l.ClientID(), Endpoint: l.Endpoint().String(), State: s.State.String(), Error: s.LastError,
		Messages: s.Outbox.Messages, Bytes: s.Outbox.Bytes, Held: s.Outbox.Held}
}

// noteOwner tells when the owner delivers to another broker than asked for.
func (r *run) noteOwner(ctx context.Context, c *control.Client) {
	all, err := Connections(ctx, c)
	if err != nil || r.o.Link.Endpoint == "" {
		return
	}
	want, err := mqttlink.ParseEndpoint(r.o.Link.Endpoint)
	if err != nil {
		return
	}
	for _, one := range all {
		if one.Name == r.o.Connection && one.Endpoint != want.String() {
			r.o.Log.Warn("the running pithings that owns the state folder delivers to its own broker", "broker", one.Endpoint, "asked_for", want.String(), "state", r.o.State)
		}
	}
}
