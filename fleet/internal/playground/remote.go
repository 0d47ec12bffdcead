package playground

import (
	"errors"
	"fmt"
	"slices"
	"time"

	web "pithings/awsiot/playground"
	"pithings/awsiot/shadow"
	"pithings/conf/suggest"
	"pithings/fleet/internal/engine"
)

// Bounds of what is changed from outside.
const (
	MinInterval = time.Millisecond
	MaxInterval = 24 * time.Hour
	MinDefender = 300 * time.Second // more often is refused by AWS
	maxAsked    = 16                // requests that wait for one shadow
)

// Change is what is changed of devices while they run. One may be used for many of them.
type Change struct {
	Interval time.Duration  // between two values of telemetry; 0: as before
	Defender *time.Duration // between two reports; 0: none; nil: as before
	Spread   float64        // how much of a new interval passes until its first message, below 1; 0: it follows at once, as in the playground
	Topic    string         // of telemetry; {} is the device's name; "": as before
	Payload  []byte         // of telemetry, a JSON object; nil: as before
	Clean    *bool          // whether the device says goodbye before it connects anew; nil: as before
}

// Check returns what is wrong with a change for whatever device.
func (c *Change) Check() error {
	switch {
	case c.Interval != 0 && (c.Interval < MinInterval || c.Interval > MaxInterval):
		return fmt.Errorf("an interval of %v: give %v to %v", c.Interval, MinInterval, MaxInterval)
	case c.Defender != nil && *c.Defender != 0 && (*c.Defender < MinDefender || *c.Defender > MaxInterval):
		return fmt.Errorf("reports of Device Defender every %v: give %v, which is what AWS takes, to %v, or 0 for none", *c.Defender, MinDefender, MaxInterval)
	}
	if c.Topic != "" {
		if err := web.CheckTopic(web.Expand(c.Topic, "NAME")); err != nil {
			return err
		}
	}
	if c.Payload != nil {
		return web.CheckPayload(c.Payload)
	}
	return nil
}

// Configure changes a device, by a change that is checked. Where many devices are changed, each has
// a Spread of its own, so that they do not publish together.
func (d *Device) Configure(now time.Duration, c *Change) error {
	if c.Defender != nil && *c.Defender > 0 && !d.Kind.Services() {
		return fmt.Errorf("devices of type %s send no reports of Device Defender", d.Kind)
	}
	if c.Topic != "" {
		if err := web.CheckTopic(web.Expand(c.Topic, d.Name)); err != nil {
			return err
		}
	}
	if c.Interval > 0 && d.Driven {
		return errDriven
	}
	own := d.custom()
	if c.Interval > 0 {
		own.interval, d.next, d.phased = c.Interval, now+part(c.Interval, c.Spread), true
	}
	if c.Defender != nil {
		every := *c.Defender
		own.defender, d.guard = &every, Never
		if every > 0 {
			d.guard = now + part(every, c.Spread)
		}
	}
	if c.Topic != "" {
		own.topic = c.Topic
	}
	if c.Payload != nil {
		own.payload = c.Payload
	}
	if c.Clean != nil {
		own.clean = *c.Clean
	}
	return nil
}

// Action is what a device is made to do at once.
type Action uint8

// The actions of the playground.
const (
	Tamper    Action = iota // it reports that its enclosure was opened
	Reconnect               // it connects anew, behind a goodbye if it is clean
	Clean                   // it says goodbye before it connects anew, from now on
	Large                   // it publishes 500 letters
	AuthError               // it publishes to a topic that it has no right to
)

var actionNames = web.Actions()

// Actions are the names of all actions.
func Actions() []string { return actionNames }

// String returns the action's name.
func (a Action) String() string { return actionNames[a] }

// Publishes reports whether an action sends a message.
func (a Action) Publishes() bool { return a == Tamper || a == Large || a == AuthError }

// ParseAction reads the name of an action.
func ParseAction(name string) (Action, error) {
	if i := slices.Index(actionNames, name); i >= 0 {
		return Action(i), nil
	}
	return 0, fmt.Errorf("there is no action %q%s", name, suggest.From(name, actionNames))
}

// errOffline is why a device publishes nothing.
var errOffline = errors.New("the device is not connected")

// errDriven is why an interval is not changed.
var errDriven = errors.New("the device follows a scenario, which says when it publishes")

// Act makes a device do something at once.
func (d *Device) Act(a Action, out engine.Out) error {
	if a.Publishes() && !d.online {
		return errOffline
	}
	switch a {
	case Tamper:
		d.send(out, d.topic("cmd/", "/tamper"), []byte(`{"device":"`+d.Name+`","tamper_type":"enclosure_violated"}`), 0)
	case Reconnect:
		if d.own != nil && d.own.clean {
			out.Reconnect()
		} else {
			out.Break()
		}
	case Clean:
		d.custom().clean = true
	case Large:
		d.send(out, d.telemetryTopic(), d.letters(), 0)
	case AuthError:
		d.send(out, errorTopic, []byte(errorPayload), 0)
	}
	return nil
}

// What a device publishes where it has no right to.
const (
	errorTopic   = web.InvalidTopic
	errorPayload = `{"auth":"error"}`
)

// manyLetters is how many letters the large payload has.
const manyLetters = 500

// letters is the playground's large payload. Its letters follow from the device's seed, which they
// leave as it is: what is done from outside does not change the values of telemetry.
func (d *Device) letters() []byte {
	seed := ^d.Seed
	b := append(make([]byte, 0, manyLetters+16), `{"payload":"`...)
	for range manyLetters {
		b = append(b, 'a'+byte(next(&seed)%26))
	}
	return append(b, `"}`...)
}

// Press presses a switch.
func (d *Device) Press(on bool, out engine.Out) error {
	switch {
	case d.Kind != Switch:
		return fmt.Errorf("a device of type %s has no button: press a switch", d.Kind)
	case d.Target == "":
		return errors.New("the switch has no device to switch: link one to it")
	case !d.online:
		return errOffline
	}
	d.switchTo(on, out)
	return nil
}

// Link makes a switch switch another device.
func (d *Device) Link(target string) error {
	if d.Kind != Switch {
		return fmt.Errorf("a device of type %s switches nothing: link a switch", d.Kind)
	}
	d.Target = target
	return nil
}

// AskShadow asks for the device's shadow. answer is called when it comes, with a document that is good
// until it returns, or with nil if there is none.
func (d *Device) AskShadow(out engine.Out, answer func(document []byte)) error {
	own := d.custom()
	switch {
	case !d.Kind.Services():
		return fmt.Errorf("devices of type %s have no shadow", d.Kind)
	case !d.online:
		return errOffline
	case len(own.asked) >= maxAsked:
		return errors.New("the shadow is asked for already: try again")
	}
	own.asked = append(own.asked, answer)
	d.send(out, shadow.Topic(d.Name, "", shadow.Get), nil, 0)
	return nil
}

// View is how a device is.
type View struct {
	Name      string
	Kind      Kind
	Connected bool
	Lit       bool
	Target    string
	Interval  time.Duration
	Defender  time.Duration // 0: it sends no reports
	Topic     string
	Payload   string // of the next telemetry
	Clean     bool
}

// View returns how the device is.
func (d *Device) View() View {
	v := View{
		Name: d.Name, Kind: d.Kind, Connected: d.online, Lit: d.lit, Target: d.Target, Interval: d.interval(),
		Topic: d.telemetryTopic(), Payload: string(d.payload()), Clean: d.own != nil && d.own.clean,
	}
	if d.Kind.Services() {
		v.Defender = d.defender()
	}
	return v
}
