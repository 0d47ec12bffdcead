package agent

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pithings/api"
	"pithings/device"
)

// ListedThing is a thing as GET /api/v1/things shows it.
type ListedThing struct {
	Name string `json:"name"`
	Type string `json:"type"`
	ThingState
	Readings map[string]ListedReading `json:"readings,omitempty"` // by quantity, since the agent began
	Latest   map[string]Occurred      `json:"latest,omitempty"`   // events by name, likewise
	// Description is there if it is asked for.
	Description *ThingDescription `json:"description,omitempty"`
}

// ListedReading is the latest value of a quantity.
type ListedReading struct {
	Value any       `json:"value"` // null: it could not be measured
	Unit  string    `json:"unit,omitempty"`
	Class string    `json:"class,omitempty"` // device class of Home Assistant
	Time  time.Time `json:"time"`
}

// thingsPath is where the things are.
const thingsPath = "/api/v1/things"

// thingList shows the things.
type thingList struct {
	parts  func() []*part
	states func() map[string]ThingState
	latest *latest
}

// routes show the things.
func (s *thingList) routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: thingsPath, For: api.Look, Doc: "list the things with their state and latest events", Gives: []ListedThing{},
			Params: []api.Param{{Name: "description", Doc: "whether each has its description", Type: "boolean"}},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				described, err := strconv.ParseBool(cmp.Or(r.FormValue("description"), "false"))
				if err != nil {
					return nil, fmt.Errorf("description: %.80q is neither true nor false (%w)", r.FormValue("description"), api.Status(http.StatusBadRequest))
				}
				return s.list(func(*part) bool { return true }, described), nil
			})},
		{Method: http.MethodGet, Path: thingsPath + "/{name}", For: api.Look, Doc: "show a thing, with its description", Gives: ListedThing{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				name := r.PathValue("name")
				if all := s.list(func(p *part) bool { return p.Name() == name }, true); len(all) == 1 {
					return all[0], nil
				}
				return nil, noThing(name)
			})},
	}
}

// noThing is the error of a thing that is not there.
func noThing(name string) error {
	return fmt.Errorf("no thing is named %.80q (%w)", name, api.Status(http.StatusNotFound))
}

// list lists those of the things, in the order of the configuration.
func (s *thingList) list(of func(*part) bool, described bool) []ListedThing {
	states := s.states()
	all := []ListedThing{}
	for _, p := range s.parts() {
		if !of(p) {
			continue
		}
		t := ListedThing{Name: p.Name(), Type: p.made.Type, ThingState: states[p.Name()], Latest: s.latest.of(p.Name())}
		t.Readings = readings(p.quantities(), t.Latest)
		if described {
			t.Description = p.describe()
		}
		all = append(all, t)
	}
	return all
}

// readings picks the quantities out of events.
func readings(quantities []device.Quantity, latest map[string]Occurred) map[string]ListedReading {
	all := map[string]ListedReading{}
	for _, q := range quantities {
		if e, ok := latest[q.Event]; ok {
			all[q.Name] = ListedReading{e.Values[q.Key], q.Unit, q.Class, e.At}
		}
	}
	return all
}
