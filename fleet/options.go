package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"pithings/awsiot/provision"
	"pithings/conf"
	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
	"pithings/fleet/scenario"
	"pithings/mqttlink"
	"pithings/mqttlink/endpoint"
)

// Options say which devices there are, and where they connect to.
type Options struct {
	// Broker has the endpoint, TLS, login and keepalive of all devices. What is of a client, such
	// as its id, will and outbox, is not used.
	Broker mqttlink.Options
	// TargetIsMine repeats the broker's host. It is needed where a mistake would hit others: see
	// [Unguarded].
	TargetIsMine string
	// Identities is the folder of an authority (provision local --count) or its folder devices:
	// each device has a certificate and a name of its own. Else they share those of Broker.
	Identities string

	Devices  int
	Prefix   string   // of names: dev- makes dev-0001; not with Identities
	Types    []string // dealt out in turn; generic if empty
	Interval time.Duration
	Defender time.Duration // between two reports of Device Defender; 0: none
	QoS      byte          // of telemetry
	Ramp     float64       // connections begun in a second
	Seed     uint64
	Factory  bool // Devices are places, empty at first: devices are made and deleted by Remote

	// Of devices of the type pi.
	Motion   time.Duration // between two motions, on average; 0: there are none
	Flows    string        // FlowsElsewhere or FlowsLocal
	Pictures string        // IP:PORT that serves them; "": this machine as the broker sees it, and a free port

	// Scenario is what happens to them; nil: nothing. Its numbers of devices, types, interval and
	// ramp are those that the fields above have: see [Options.Follow].
	Scenario  *scenario.Scenario
	StolenIDs []string // client ids of others, which rogue devices take
}

// Limits of what is asked of a broker, so that a slip of the finger is no attack. Those of
// brokers of others are what AWS IoT Core grants an account at first: 500 connections in a second
// (https://docs.aws.amazon.com/general/latest/gr/iot-core.html).
const (
	MaxDevices   = engine.MaxDevices
	MinRamp      = 0.001   // connections a second
	MaxRamp      = 20_000  // on loopback and private addresses
	MaxRate      = 100_000 // messages a second, there
	MaxFarRamp   = 500     // elsewhere
	MaxFarRate   = 5000    // elsewhere
	Unguarded    = 100     // devices that need no TargetIsMine anywhere
	MinInterval  = time.Millisecond
	MinDefender  = 300 * time.Second // more often is refused by AWS
	defaultAlive = 30 * time.Second

	maxBytes    = 64 << 20 // of messages that are too large, in a second, on loopback and private addresses
	maxFarBytes = 4 << 20  // elsewhere
)

// DefaultPrefix is the one of the playground, and of provision local --count.
const DefaultPrefix = "dev-"

// plan is Options, checked.
type plan struct {
	Options
	endpoint endpoint.Endpoint
	kinds    []kind
	names    []string // of devices with identities
	script   *scenario.Plan
	spare    string // an identity of no device, as the witness of rogue ones
}

// errNoTarget is the error of a switch that has nothing to switch.
var errNoTarget = errors.New("a switch needs a device whose shadow it sets: add the type bulb or controlled")

// Check returns the first thing that is wrong with options, as far as they show it themselves.
func (o Options) Check() error {
	_, err := o.check()
	return err
}

func (o Options) check() (*plan, error) {
	p := &plan{Options: o}
	var err error
	if p.endpoint, err = endpoint.Parse(o.Broker.Endpoint); err != nil {
		return nil, err
	}
	if p.Broker.KeepAlive == 0 {
		p.Broker.KeepAlive = defaultAlive
	}
	if len(o.Types) == 0 {
		p.Types = []string{playground.Generic.String()}
	}
	if o.Prefix == "" {
		p.Prefix = DefaultPrefix
	}
	lit, pressed := false, false
	for _, name := range p.Types {
		k, err := parseType(name)
		if err != nil {
			return nil, err
		}
		p.kinds = append(p.kinds, k)
		lit, pressed = lit || k.Lit(), pressed || k.presses()
	}
	switch {
	case p.endpoint.WebSocket():
		return nil, fmt.Errorf("%s: a fleet connects by mqtt:// and mqtts:// only", p.endpoint)
	case o.Devices < 1 || o.Devices > MaxDevices:
		return nil, fmt.Errorf("%d devices: give a number from 1 to %d", o.Devices, MaxDevices)
	case o.Interval < MinInterval || o.Interval > 24*time.Hour:
		return nil, fmt.Errorf("an interval of %v: give %v to 24h", o.Interval, MinInterval)
	case o.Defender != 0 && o.Defender < MinDefender:
		return nil, fmt.Errorf("reports of Device Defender every %v: AWS takes one every %v; give 0 for none", o.Defender, MinDefender)
	case o.QoS > 1:
		return nil, mqttlink.ErrQoS
	case !(o.Ramp >= MinRamp) || o.Ramp > MaxRamp:
		return nil, fmt.Errorf("a ramp of %v connections a second: give a number from %v to %d", o.Ramp, MinRamp, MaxRamp)
	}
	if err := p.checkScenario(); err != nil {
		return nil, err
	}
	switch {
	case p.rate() > MaxRate:
		return nil, fmt.Errorf("%.0f messages a second: at most %d are sent; take a longer interval", p.rate(), MaxRate)
	case p.Broker.KeepAlive < time.Second || p.Broker.KeepAlive > math.MaxUint16*time.Second:
		return nil, fmt.Errorf("a keepalive of %v: give 1s to %v", p.Broker.KeepAlive, math.MaxUint16*time.Second)
	}
	if err := provision.CheckName(fmt.Sprintf("%s%04d", p.Prefix, o.Devices)); err != nil { // the longest
		return nil, fmt.Errorf("names that begin with %q: %w", p.Prefix, err)
	}
	if pressed && (!lit || p.Devices < len(p.kinds)) {
		return nil, errNoTarget
	}
	if err := errors.Join(p.checkPis(), p.checkRogues()); err != nil {
		return nil, err
	}
	return p, nil
}

// rate is how many messages are published in a second, at most: telemetry, and what motion brings.
func (p *plan) rate() float64 {
	n := 0
	for i, k := range p.kinds {
		n += k.perInterval() * p.dealt(i)
	}
	if p.script != nil {
		return p.script.Peak().Messages + p.ofPis()
	}
	return float64(n)/p.Interval.Seconds() + p.motions()
}

// ofPis is what Pis publish in a second beside what a scenario counts, which is one for each device by the
// interval of the phase: they keep to that of the fleet, whatever the phase.
func (p *plan) ofPis() float64 {
	n := p.of(func(k kind) bool { return k.pi })
	return float64(n*readingMessages)/p.Interval.Seconds() + p.motions()
}

// total is how many messages a scenario publishes, at most, or in a day if it has no end.
func (p *plan) total() float64 {
	span := p.script.End
	if span == scenario.Never {
		span = 24 * time.Hour
	}
	return p.script.Peak().Total + p.ofPis()*span.Seconds()
}

// name is the name of a device, from 0 on.
func (p *plan) name(i int) string {
	if p.names != nil {
		return p.names[i]
	}
	return fmt.Sprintf("%s%04d", p.Prefix, i+1)
}

func (p *plan) kind(i int) kind { return p.kinds[i%len(p.kinds)] }

// target is the next device behind a switch that obeys its shadow.
func (p *plan) target(i int) string {
	for j := i + 1; j < i+1+p.Devices; j++ {
		if p.kind(j % p.Devices).Lit() {
			return p.name(j % p.Devices)
		}
	}
	return ""
}

// of counts the devices of which is is true.
func (p *plan) of(is func(kind) bool) (n int) {
	for i, k := range p.kinds {
		if is(k) {
			n += p.dealt(i)
		}
	}
	return n
}

// dealt is how many devices have the type at a place: they are dealt out in turn.
func (p *plan) dealt(i int) int { return (p.Devices - i + len(p.kinds) - 1) / len(p.kinds) }

// Follow sets what a scenario says of devices, types, interval and ramp, but for what is given: the
// zero value of each is not.
func (o *Options) Follow(s *scenario.Scenario) {
	o.Scenario = s
	o.Devices = cmp.Or(o.Devices, s.Devices)
	o.Interval = cmp.Or(o.Interval, s.Interval.Duration)
	o.Ramp = cmp.Or(o.Ramp, float64(s.Ramp))
	if len(o.Types) == 0 {
		o.Types = s.TypeList()
	}
}

// checkScenario plans the scenario, with the numbers of the options.
func (p *plan) checkScenario() error {
	switch {
	case p.Scenario == nil:
		return nil
	case p.Factory:
		return errors.New("a scenario is of devices that there are from the start: it goes without a factory")
	}
	s := *p.Scenario
	s.Interval, s.Ramp = conf.Duration{Duration: p.Interval}, conf.Rate(p.Ramp)
	var err error
	if p.script, err = scenario.NewPlan(&s, p.Devices, p.Seed); err != nil {
		return fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	p.Ramp = p.script.RampOf(0) // to begin with
	if peak := p.script.Peak(); peak.Bytes > maxBytes {
		return fmt.Errorf("scenario %s: %.0f MiB of messages that are too large in a second: at most %d are sent; take fewer devices", s.Name, peak.Bytes/(1<<20), maxBytes>>20)
	}
	return nil
}

// ramp is how many connections are begun in a second, at most.
func (p *plan) ramp() float64 {
	if p.script != nil {
		return p.script.Peak().Ramp
	}
	return p.Ramp
}

// rogues is how many devices are rogue.
func (p *plan) rogues() int { return p.of(func(k kind) bool { return k.rogue }) }

// rogue reports whether a device is rogue.
func (p *plan) rogue(i int) bool { return p.kind(i).rogue }

// checkRogues returns what is wrong with the rogue devices.
func (p *plan) checkRogues() error {
	switch n := p.rogues(); {
	case n > 0 && p.Factory:
		return fmt.Errorf("a factory makes no devices of the type %s", typeRogue)
	case n > 0 && p.Scenario != nil:
		return fmt.Errorf("a scenario has no devices of the type %s: run them by themselves", typeRogue)
	case n > MaxRogues:
		return fmt.Errorf("%d of the devices are rogue: at most %d may be", n, MaxRogues)
	case len(p.StolenIDs) > MaxStolenIDs:
		return fmt.Errorf("%d client ids of others: at most %d are tried", len(p.StolenIDs), MaxStolenIDs)
	case n == 0 && len(p.StolenIDs) > 0:
		return fmt.Errorf("client ids of others are for devices of the type %s", typeRogue)
	}
	return nil
}
