package collect

import (
	"time"

	"pithings/conf"
)

// AlarmRule says when a variable's value is an alarm.
type AlarmRule struct {
	Name       string            `json:"name" required:"true" change:"afar" jsonschema:"name of the alarm"`
	Group      string            `json:"group" default:"alarm" change:"afar" jsonschema:"the alarm group that publish rules name"`
	Device     string            `json:"device" required:"true" change:"afar" jsonschema:"the device of its variable"`
	Variable   string            `json:"variable" required:"true" change:"afar" jsonschema:"the variable"`
	Condition1 string            `json:"condition1" required:"true" enum:"Eq,Neq,Gt,Gne,Lne,Lt" change:"afar" jsonschema:"Eq: equal, Neq: not equal, Gt: greater, Gne: greater or equal, Lne: less or equal, Lt: less"`
	Operand1   string            `json:"operand1" required:"true" change:"afar" jsonschema:"what the value is compared with: a number, true, false, or a text"`
	Combine    string            `json:"combine" default:"None" enum:"None,And,Or" change:"afar" jsonschema:"whether there is a second condition, and whether both have to hold or one"`
	Condition2 string            `json:"condition2" enum:"Eq,Neq,Gt,Gne,Lne,Lt" change:"afar" jsonschema:"the second condition"`
	Operand2   string            `json:"operand2" change:"afar" jsonschema:"and its operand"`
	Content    string            `json:"content" change:"afar" jsonschema:"what the alarm says"`
	Level      int               `json:"level" default:"1" min:"1" max:"5" change:"afar" jsonschema:"how bad it is"`
	Hysteresis float64           `json:"hysteresis" default:"0" min:"0" max:"1e300" change:"afar" jsonschema:"how far the value has to come back before the alarm is cleared, in the variable's unit"`
	Delay      conf.Duration     `json:"delay" default:"0s" min:"0s" max:"24h" change:"afar" jsonschema:"how long the conditions have to hold before the alarm is triggered"`
	Columns    map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// holds reports whether a value is an alarm. on: it is one already.
func (r *AlarmRule) holds(value any, on bool) bool {
	slack := 0.0
	if on {
		slack = r.Hysteresis
	}
	first := meets(value, r.Condition1, r.Operand1, slack)
	switch r.Combine {
	case And:
		return first && meets(value, r.Condition2, r.Operand2, slack)
	case Or:
		return first || meets(value, r.Condition2, r.Operand2, slack)
	}
	return first
}

// AlarmState is what is kept of an alarm over a restart.
type AlarmState struct {
	On           bool      `json:"on"`
	Acknowledged bool      `json:"acknowledged,omitempty"` // by a person, since it was triggered
	Since        time.Time `json:"since,omitzero"`         // when it was triggered, or cleared
	Value        any       `json:"value"`                  // the variable's value then
	Trigger      any       `json:"trigger,omitempty"`      // its value when the alarm was triggered
	Unreported   bool      `json:"unreported,omitempty"`   // it became so, and the publish rules do not have it yet
}

// AlarmEvent is that an alarm was triggered or cleared.
type AlarmEvent struct {
	*AlarmRule
	On      bool
	At      time.Time // with its monotonic reading
	Value   any       // of the variable
	Trigger any       // its value when the alarm was triggered
}

// Alarm is the state machine of a rule.
//
//	        conditions hold           for the delay
//	cleared ──────────────▶ pending ────────────────▶ triggered
//	   ▲  ◀──────────────────  │                          │
//	   │     they do not       │                          │ they do not hold any more,
//	   └──────────────────────────────────────────────────┘ by the hysteresis
//
// It is for one goroutine at a time. The zero value of its state is cleared.
type Alarm struct {
	AlarmRule
	AlarmState
	pending time.Time // since when the conditions hold; zero: they do not, or it is on
	latest  any
}

// Observe takes a value of the alarm's variable. It returns an event if the state changes.
func (a *Alarm) Observe(value any, at time.Time) (AlarmEvent, bool) {
	a.latest = value
	holds := a.holds(value, a.On)
	switch {
	case a.On && !holds:
		return a.become(false, at), true
	case a.On || !holds:
		a.pending = time.Time{}
	case a.pending.IsZero():
		a.pending = at
	}
	return a.Elapsed(at)
}

// Due returns when Elapsed has to be called, or zero: it need not.
func (a *Alarm) Due() time.Time {
	if a.pending.IsZero() {
		return time.Time{}
	}
	return a.pending.Add(a.Delay.Duration)
}

// Elapsed returns an event if the delay of an alarm is over.
func (a *Alarm) Elapsed(now time.Time) (AlarmEvent, bool) {
	if due := a.Due(); due.IsZero() || due.After(now) {
		return AlarmEvent{}, false
	}
	return a.become(true, now), true
}

// Acknowledge notes that a person knows of an alarm. It reports whether that is news.
func (a *Alarm) Acknowledge() bool {
	news := a.On && !a.Acknowledged
	a.Acknowledged = a.Acknowledged || news
	return news
}

// Report returns the event of a state that was kept unreported, if it is. One without a time
// is of now.
func (a *Alarm) Report(now time.Time) (AlarmEvent, bool) {
	if !a.Unreported {
		return AlarmEvent{}, false
	}
	a.Unreported = false
	if a.Since.IsZero() {
		a.Since = now
	}
	return AlarmEvent{AlarmRule: &a.AlarmRule, On: a.On, At: a.Since, Value: a.Value, Trigger: a.Trigger}, true
}

func (a *Alarm) become(on bool, at time.Time) AlarmEvent {
	a.pending = time.Time{}
	if on {
		a.Trigger = a.latest
	}
	a.AlarmState = AlarmState{On: on, Since: at, Value: a.latest, Trigger: a.Trigger}
	return AlarmEvent{AlarmRule: &a.AlarmRule, On: on, At: at, Value: a.latest, Trigger: a.Trigger}
}
