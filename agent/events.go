package agent

import (
	"net/http"

	"pithings/agent/events"
	"pithings/api"
)

const eventsName = "events"

// eventService is the stream of events: all that happens in the other services.
type eventService struct{ *events.Stream }

// Name implements Service.
func (eventService) Name() string { return eventsName }

// Routes implements Router.
func (s eventService) Routes() []api.Route {
	return []api.Route{{Method: http.MethodGet, Path: "/api/v1/events", For: api.Look, Doc: "follow what happens, as a stream of events", Handler: s.Stream, Media: events.Media,
		Params: []api.Param{
			{Name: "kinds", Doc: "of the events, with commas; without it all but those that must be asked for"},
			{Name: "last_event_id", Doc: "of the last event that was seen, if no header Last-Event-ID says it"},
			{Name: "browser", Doc: "a random text, the same for all pages of a browser: of one browser there is one stream"},
		}}}
}

// newEvents makes the stream of the events of services, and of others.
func newEvents(services []registered, others ...events.Source) eventService {
	for _, s := range services {
		if s.events != nil {
			others = append(others, s.events.Events()...)
		}
	}
	return eventService{events.New(others...)}
}
