package config

// Mock returns the built-in configuration of run --mock: the four things under
// the names of the Things Graph guide and the flow between them, at the
// embedded broker, without warm-up and hold. It names its parts as a Pi would.
func Mock() *Config {
	c := new(Config)
	fill(c)
	c.Broker.Listen = mockBroker

	motion := newThing(MotionType)
	motion.Name = "TG_MS"
	motion.Motion.Pin = "GPIO17"
	motion.Motion.WarmUp = Duration{}
	motion.Motion.Hold = Duration{}

	environment := newThing(EnvironmentType)
	environment.Name = "bme680"

	camera := newThing(CameraType)
	camera.Name = "TG_Camera"
	camera.Camera.Size = Size{640, 480}
	camera.Camera.WarmUpFrames = 0

	screen := newThing(ScreenType)
	screen.Name = "TG_Screen"

	c.Things = []Thing{motion, environment, camera, screen}

	var flow Flow
	fill(&flow)
	flow.Builtin, flow.Name, flow.Carrier = SecurityFlow, SecurityFlow, CarrierBroker
	flow.Things = map[string]string{"motionSensor": "TG_MS", "camera": "TG_Camera", "screen": "TG_Screen"}
	c.Flows = []Flow{flow}
	return c
}
