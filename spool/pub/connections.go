package pub

import (
	"context"
	"net/http"
	"time"

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

	Since       time.Time  `json:"since,omitzero"`         // of the state
	NextAttempt float64    `json:"next_attempt,omitempty"` // in how many seconds it connects again
	Oldest      *time.Time `json:"oldest,omitempty"`       // of the messages that wait
	OldestAge   float64    `json:"oldest_age,omitempty"`   // in seconds, if the clock is known
	Alarms      int        `json:"alarms,omitempty"`       // of the messages that wait
	Undated     int        `json:"waiting_for_clock,omitempty"`
	Dropped     uint64     `json:"dropped,omitempty"` // because of a limit, since the owner began
	Damaged     uint64     `json:"damaged,omitempty"`
	DiskError   string     `json:"disk_error,omitempty"` // why messages are in memory only
	Delivered   uint64     `json:"delivered"`            // since the owner began
	Received    uint64     `json:"received"`
	Excluded    []string   `json:"excluded_topics,omitempty"` // whose messages become dead letters without being sent
	Refusals    []string   `json:"refused_filters,omitempty"` // by the broker
	TakenOver   bool       `json:"taken_over,omitempty"`      // another client uses the client id
	HeldBack    bool       `json:"held_back,omitempty"`       // nothing is sent in quarantine
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
	s, now := l.Stats(), time.Now()
	c := Connection{Name: name, ClientID: l.ClientID(), Endpoint: l.Endpoint().String(), State: s.State.String(), Error: s.LastError,
		Messages: s.Outbox.Messages, Bytes: s.Outbox.Bytes, Unsaved: s.Outbox.Unsaved, DeadLetters: s.DeadLetters,
		Since: s.Since.UTC(), Alarms: s.Outbox.Alarms, Undated: s.Waiting, Dropped: s.Outbox.Dropped, Damaged: s.Outbox.Damaged,
		Delivered: s.Acked, Received: s.Received, Excluded: s.Excluded, Refusals: s.Refusals, TakenOver: s.TakenOver, HeldBack: s.Held}
	if in := s.Next.Sub(now); in > 0 {
		c.NextAttempt = in.Seconds()
	}
	if oldest := s.Outbox.Oldest; !oldest.IsZero() {
		oldest = oldest.UTC()
		c.Oldest, c.OldestAge = &oldest, max(0, now.Sub(oldest).Seconds())
	}
	if s.Outbox.Err != nil {
		c.DiskError = s.Outbox.Err.Error()
	}
	return c
}
