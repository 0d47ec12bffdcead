package agent

import (
	"fmt"

	"pithings/agent/config"
	"pithings/camera"
	"pithings/display"
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
			Both: c.Motion.Publish == config.PublishBoth, TimeKey: c.Motion.TimeKey, Sensor: motionOpts(c.Motion),
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
