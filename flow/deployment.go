package flow

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pithings/flow/expr"
)

// DefaultTimeout bounds a step that names no time-out: no answer ever says that
// an action failed, so silence has to.
const DefaultTimeout = 30 * time.Second

// Deployment is flows with the things that play their roles and with what
// starts them: a flow configuration of Things Graph, or one YAML file. It is not
// changed once it is deployed.
type Deployment struct {
	Name        string
	Description string
	URN         string // of Things Graph; "" if it has none
	System      string // the system's URN in Things Graph; "" if it has none
	// Things play the roles.
	Things   []Binding
	Flows    []Flow
	Triggers []Trigger
	// Vars are kept between executions.
	Vars []Var
	// Timeout bounds the attempts of steps that name none. 0: DefaultTimeout.
	Timeout time.Duration
	// Shared, if not "", is the group in which several engines share the events of
	// this deployment, so that each event is handled by one of them.
	Shared string
	// Revision counts the deployments of this name, from 1. Deployed is when this
	// one was; clock triggers of days and more count from it. Whoever deploys sets
	// both.
	Revision int
	Deployed time.Time
	Pos      Position
}

// Binding is a thing that plays a role.
type Binding struct {
	Role    string
	Thing   string
	Model   string // device model or device, name or URN; "" is not known
	Carrier Carrier
	// AtMostOnce sends the commands to a thing at the broker with QoS 0, instead of 1.
	AtMostOnce bool
	Pos        Position
}

// Carrier is how a flow reaches a thing.
type Carrier string

// The carriers.
const (
	Auto   Carrier = ""       // local for things of this process, broker for others
	Local  Carrier = "local"  // within the process
	Broker Carrier = "broker" // by MQTT messages
)

// Flow is a definition with how it is run.
type Flow struct {
	Definition *Definition
	Overlap    Overlap
	// Limit is how many triggers wait (Queue), or how many executions run
	// (Parallel); the other policies have none. 0: DefaultQueue, DefaultParallel.
	Limit int
}

// Overlap is what happens when a flow is started while it runs.
type Overlap string

// The policies. What a policy drops is counted, and logged once.
const (
	Queue    Overlap = ""         // it waits; Limit may, further ones are dropped
	Drop     Overlap = "drop"     // it is dropped
	Restart  Overlap = "restart"  // the execution that runs is aborted, and the new one runs
	Parallel Overlap = "parallel" // it runs beside; up to Limit, further ones are dropped
)

// Limits of the policies. One waiting trigger is enough for most: a storm of
// events costs one more picture and not a thousand.
const (
	DefaultQueue    = 1
	MaxQueue        = 1000
	DefaultParallel = 8
	MaxParallel     = 100
)

// Trigger starts flows. It is that of a device's event if Event is set, that of
// a clock if Every or At is.
type Trigger struct {
	Name        string
	Description string
	Event       *DeviceEvent
	Every       Every
	At          *At
	Start       []Start
	Pos         Position
}

// DefaultMaxAge is the age up to which an event starts a flow.
const DefaultMaxAge = 60 * time.Second

// DeviceEvent is an event of a thing that starts flows.
//
// When sees these variables: event, the event's values, an object; value, which
// stands for Things Graph's lastEvent.value: the event's key "value", or else its
// only key's value (the time key not counted), or else the whole object; and
// bindings, a list of objects with name (the role) and deviceId (the thing).
//
//	….lastEvent                 When is nil: every event, whatever it holds
//	….lastEvent.value           When is value
//	….lastEvent.temp > 10       When is event.temp > 10
type DeviceEvent struct {
	Role string
	Name string
	When *expr.Expr
	// MaxAge is the age from which an event is too old to start anything, if its
	// time is known. 0: DefaultMaxAge. Negative: none.
	MaxAge time.Duration
	// For, if not 0, is how long When has to hold: each event that comes is looked
	// at, and the flow starts once When has been true of all of them for that time,
	// with the values of the last one. It does not start again before When was false.
	For time.Duration
}

// Start starts a flow.
type Start struct {
	Flow string
	// Args are the flow's parameters, by position, or by name if they have one.
	// Their expressions see what DeviceEvent.When sees, and trigger, its name.
	Args []Arg
	Pos  Position
}

// Every is the interval of a clock: so many units. The zero value is none.
type Every struct {
	Count int
	Unit  Unit
}

// Unit is a clock's unit of time.
type Unit string

// The units. Seconds to hours are counted from the start of the engine by a
// clock that is never set. Days and weeks, of 24 hours a day, and months and
// years, by the calendar, are counted from the deployment; what falls into a time
// when the engine does not run is left out.
const (
	Seconds Unit = "seconds"
	Minutes Unit = "minutes"
	Hours   Unit = "hours"
	Days    Unit = "days"
	Weeks   Unit = "weeks"
	Months  Unit = "months"
	Years   Unit = "years"
)

// units has the length of each, and 0 for those of the calendar.
var units = []struct {
	name   Unit
	length time.Duration
}{
	{Seconds, time.Second}, {Minutes, time.Minute}, {Hours, time.Hour},
	{Days, 24 * time.Hour}, {Weeks, 7 * 24 * time.Hour}, {Months, 0}, {Years, 0},
}

// maxEvery bounds an interval of each unit to a hundred years.
func maxEvery(u Unit, length time.Duration) int64 {
	switch {
	case u == Months:
		return 1200
	case u == Years:
		return 100
	}
	return int64(100 * 365 * 24 * time.Hour / length)
}

// ParseEvery reads "every 10 seconds", with or without the "every", a unit in
// singular or plural; "every minute" is one.
func ParseEvery(text string) (Every, error) {
	fail := func() (Every, error) {
		return Every{}, fmt.Errorf("%.40q is no interval; write, for example, every 10 seconds (or minutes, hours, days, weeks, months, years)", text)
	}
	words := strings.Fields(strings.ToLower(text))
	if len(words) > 0 && words[0] == "every" {
		words = words[1:]
	}
	e := Every{Count: 1}
	switch len(words) {
	case 2:
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 1 {
			return fail()
		}
		e.Count = n
	case 1:
	default:
		return fail()
	}
	for _, u := range units {
		if strings.TrimSuffix(words[len(words)-1], "s") == strings.TrimSuffix(string(u.name), "s") {
			if int64(e.Count) > maxEvery(u.name, u.length) {
				return fail()
			}
			e.Unit = u.name
			return e, nil
		}
	}
	return fail()
}

// IsZero reports whether there is no clock.
func (e Every) IsZero() bool { return e == Every{} }

// String returns what ParseEvery reads: "every 10 seconds".
func (e Every) String() string {
	unit := string(e.Unit)
	if e.Count == 1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	return fmt.Sprintf("every %d %s", e.Count, unit)
}

// Length is the interval, or 0 if it is the calendar's.
func (e Every) Length() time.Duration {
	for _, u := range units {
		if u.name == e.Unit {
			return time.Duration(e.Count) * u.length
		}
	}
	return 0
}

// Binding returns who plays a role.
func (d *Deployment) Binding(role string) (Binding, bool) {
	for _, b := range d.Things {
		if b.Role == role {
			return b, true
		}
	}
	return Binding{}, false
}

// Flow returns the flow of that name, which may also be its URN.
func (d *Deployment) Flow(name string) *Flow {
	for i := range d.Flows {
		if def := d.Flows[i].Definition; def.Name == name || def.URN == name && name != "" {
			return &d.Flows[i]
		}
	}
	return nil
}

// ID is what a flow's executions are named by: its URN or its name.
func (d *Definition) ID() string { return cmp.Or(d.URN, d.Name) }
