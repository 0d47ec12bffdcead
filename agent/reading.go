package agent

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pithings/api"
	"pithings/spool/control"
	"pithings/things"
)

// readingPath is where other processes ask for a reading of a sensor that this one has.
const readingPath = "/api/v1/reading"

// readingWait bounds a measurement on a bus that hangs.
const readingWait = 15 * time.Second

// reading is a things.Reading as JSON, in which a quantity without a value is null.
type reading struct {
	Thing       string    `json:"thing"`
	Sensor      string    `json:"sensor"`
	Time        time.Time `json:"time"`
	Temperature *float64  `json:"temperature"`
	Humidity    *float64  `json:"humidity"`
	Pressure    *float64  `json:"pressure"`
	Gas         *float64  `json:"gas_resistance"`
}

// readingRoute answers for the environment sensors of this agent.
func readingRoute(all func() []things.Thing) api.Route {
	read := func(r *http.Request) (any, error) {
		bus, text := r.FormValue("bus"), r.FormValue("address")
		address, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("address %.20q: %w", text, api.Status(http.StatusBadRequest))
		}
		for _, t := range all() {
			if e, ok := t.(*things.Environment); ok && busName(e.Bus) == busName(bus) && (address == 0 || e.Address == 0 || e.Address == things.Address(address)) {
				return measure(r.Context(), e)
			}
		}
		return nil, fmt.Errorf("no thing has a sensor on bus %.40q (%w)", bus, api.Status(http.StatusNotFound))
	}
	return api.Route{Method: http.MethodGet, Path: readingPath, For: api.Look, Doc: "take a reading of the sensor on a bus", Handler: api.JSON(read), Gives: reading{},
		Params: []api.Param{{Name: "bus", Doc: "number or name of the I²C bus", Required: true}, {Name: "address", Doc: "of the sensor on the bus; 0: any", Type: "integer", Required: true}}}
}

// busName is the name of an I²C bus, however it is written: /dev/i2c-1 is 1.
func busName(bus string) string { return strings.TrimPrefix(bus, "/dev/i2c-") }

func measure(ctx context.Context, e *things.Environment) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, readingWait)
	defer cancel()
	r, sensor, err := e.Measure(ctx)
	if err != nil {
		return nil, err
	}
	value := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	return reading{e.Name(), sensor, r.Time, value(r.Temperature), value(r.Humidity), value(r.Pressure), value(r.Gas)}, nil
}

// AskReading asks an agent for a reading of the sensor on a bus; address 0 is any. An
// error that wraps control.AnswerError with status 404 says that it has none there.
func AskReading(ctx context.Context, c *control.Client, bus string, address uint16) (r things.Reading, sensor string, err error) {
	query := url.Values{"bus": {bus}, "address": {strconv.Itoa(int(address))}}
	var in reading
	if err := c.Do(ctx, http.MethodGet, readingPath+"?"+query.Encode(), nil, &in); err != nil {
		return r, "", err
	}
	value := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	return things.Reading{Time: in.Time, Temperature: value(in.Temperature), Humidity: value(in.Humidity), Pressure: value(in.Pressure), Gas: value(in.Gas)}, in.Sensor, nil
}
