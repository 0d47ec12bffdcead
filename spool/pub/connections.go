package pub

import (
	"context"
	"net/http"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/spool/control"
)

// Connection is how one connection of a folder's owner is doing.
type Connection struct {
	Name        string `json:"name"` // "" is the usual one
	ClientID    string `json:"client_id"`
	Endpoint    string `json:"endpoint"`
	State       string `json:"state"`
	Error       string `json:"error,omitempty"`
	Messages    int    `json:"messages"` // that wait
	Bytes       int64  `json:"bytes"`
	Unsaved     int    `json:"held,omitempty"`
	DeadLetters uint64 `json:"set_aside,omitempty"` // since the owner began
}

const connectionsPath = "/api/v1/connections"

// ConnectionRoutes let other processes see the connections.
func ConnectionRoutes(connections func() []Connection) []api.Route {
	return []api.Route{{Method: http.MethodGet, Path: connectionsPath, For: api.Look, Doc: "list the connections, their state and what waits for them", Gives: []Connection{},
		Handler: api.JSON(func(*http.Request) (any, error) { return connections(), nil })}}
}

// Connections asks the owner for its connections.
func Connections(ctx context.Context, c *control.Client) (all []Connection, err error) {
	return all, c.Do(ctx, http.MethodGet, connectionsPath, nil, &all)
}

// ConnectionOf describes a link.
func ConnectionOf(name string, l *mqttlink.Link) Connection {
	s := l.Stats()
	return Connection{Name: name, ClientID: l.ClientID(), Endpoint: l.Endpoint().String(), State: s.State.String(), Error: s.LastError,
		Messages: s.Outbox.Messages, Bytes: s.Outbox.Bytes, Unsaved: s.Outbox.Unsaved, DeadLetters: s.DeadLetters}
}
