package agent

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/camera"
	"pithings/display"
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/mqttlink"
	"pithings/things"
)

// makeThings makes the things of the configuration. No part is opened.
func (a *Agent) makeThings() error {
	for i := range a.o.Config.Things {
		c := &a.o.Config.Things[i]
		t, err := a.makeThing(c)
		if err != nil {
			return fmt.Errorf("thing %s: %w", c.Name, err)
		}
		a.things = append(a.things, t)
	}
	return nil
}

func (a *Agent) makeThing(c *config.Thing) (things.Thing, error) {
	link := a.transcript.Client(a.links.of(c.Name))
	switch c.Type {
	case config.MotionType:
		return things.NewMotion(things.MotionOptions{
			Thing: c.Name, Topics: c.Topics, Extra: c.Extra, Pin: c.Motion.Pin,
			Both: c.Motion.Publish == config.PublishBoth, Sensor: motionOpts(c.Motion),
		}, a.o.Board, link, a.log)
	case config.EnvironmentType:
		// Its readings every few seconds would drown the events in the transcript,
		// so it publishes past it.
		e := c.Environment
		return things.NewEnvironment(things.EnvironmentOptions{
			Thing: c.Name, Topics: c.Topics, Extra: c.Extra, Bus: e.Bus, Address: uint16(e.Address),
			Interval: e.Interval.Duration, Schema: things.Schema(e.Schema), Sensor: environmentOpts(e),
		}, a.o.Board, a.links.of(c.Name), a.log)
	case config.CameraType:
		pictures, err := a.pictures(c.Name)
		if err != nil {
			return nil, err
		}
		cam := camera.New(a.o.Board, c.Camera.Device, cameraOpts(c.Camera), a.log)
		a.closers = append(a.closers, cam)
		return things.NewCamera(things.CameraOptions{Thing: c.Name, Topics: c.Topics, Extra: c.Extra}, cam, pictures, link, a.log)
	case config.ScreenType:
		o, err := screenOpts(c.Screen)
		if err != nil {
			return nil, err
		}
		screen := display.New(a.o.Board, c.Screen.Device, o, a.log)
		a.closers = append(a.closers, screen)
		if a.web != nil {
			a.web.local("GET /screen/"+c.Name+".png", screen.Mirror())
		}
		return things.NewScreen(things.ScreenOptions{Thing: c.Name, Topics: c.Topics}, screen, link, a.log)
	}
	return nil, fmt.Errorf("unknown type %q", c.Type)
}

// makeFlows makes the engine and what will be deployed on it.
func (a *Agent) makeFlows() error {
	a.engine = engine.New(engine.Options{Device: a.device, Log: a.log})
	for i := range a.o.Config.Flows {
		d := deployment(&a.o.Config.Flows[i])
		for same := 2; slices.ContainsFunc(a.flows, func(o *flow.Deployment) bool { return o.Name == d.Name }); same++ {
			d.Name = fmt.Sprintf("%s-%d", deployment(&a.o.Config.Flows[i]).Name, same)
		}
		if err := d.Validate(flow.Known{}); err != nil {
			return err
		}
		for _, b := range d.Things {
			if _, err := a.device(b); err != nil {
				return fmt.Errorf("flow %s, role %s: %w", d.Name, b.Role, err)
			}
		}
		a.flows = append(a.flows, d)
	}
	return nil
}

// deployment makes a flow of the configuration one that can be deployed.
func deployment(c *config.Flow) *flow.Deployment {
	d := flow.SecurityFlow()
	d.Name = strings.NewReplacer(" ", "_", "/", "_", `\`, "_").Replace(c.Name) // names of deployments have no blanks
	d.Timeout = c.Timeout.Duration
	d.Flows[0].Definition.Name = c.Name
	d.Triggers[0].Start[0].Flow = c.Name
	if c.When == config.WhenEvent {
		d.Triggers[0].Event.When = nil
	}
	for i := range d.Things {
		d.Things[i].Thing = c.Things[d.Things[i].Role]
		d.Things[i].Carrier = flow.Broker
		if c.Carrier == config.CarrierLocal {
			d.Things[i].Carrier = flow.Local
		}
	}
	return d
}

// device returns what plays a role: the thing itself with the carrier local,
// else its remote at the broker.
func (a *Agent) device(b flow.Binding) (flow.Device, error) {
	role, name := b.Role, b.Thing
	if b.Carrier == flow.Local {
		for _, t := range a.things {
			if d, ok := t.(flow.Device); ok && t.Name() == name {
				return d, nil
			}
		}
		return nil, fmt.Errorf("thing %s is not here, so the carrier cannot be local", name)
	}
	var topics map[string]string // another process's thing has the usual ones
	if t := a.o.Config.Thing(name); t != nil {
		topics = t.Topics
	}
	return a.remote(role, name, topics)
}

// remote returns the thing that plays a role through the broker. Flows share
// one remote of a thing: its answers can be told apart only while one action is
// in flight.
func (a *Agent) remote(role, name string, topics map[string]string) (*things.Remote, error) {
	if r, ok := a.remotes[name]; ok {
		return r, nil
	}
	newRemote := map[string]func(string, map[string]string, mqttlink.Client, *slog.Logger) (*things.Remote, error){
		"motionSensor": things.NewRemoteMotion, "camera": things.NewRemoteCamera, "screen": things.NewRemoteScreen,
	}[role]
	if newRemote == nil {
		return nil, fmt.Errorf("no device for this role")
	}
	r, err := newRemote(name, topics, a.links.shared, a.log)
	if err != nil {
		return nil, err
	}
	a.remotes[name] = r
	a.closers = append(a.closers, r)
	return r, nil
}
