package flow

import "pithings/flow/expr"

// SecurityFlow is the flow of the Things Graph guide: motion is detected, the
// camera takes a picture, the screen shows it.
//
// The cloud service's trigger fired on every motion event, whatever its value;
// its example sensor only ever sent true. Here the end of motion is no reason
// for a picture.
func SecurityFlow() *Deployment {
	must := func(source string) *expr.Expr {
		e, err := expr.Parse(source)
		if err != nil {
			panic(err) // a constant source that does not parse is a fault of this file
		}
		return e
	}
	return &Deployment{
		Name: "SecurityFlow",
		Things: []Binding{
			{Role: "motionSensor", Thing: "motionSensor"}, {Role: "camera", Thing: "camera"}, {Role: "screen", Thing: "screen"},
		},
		Flows: []Flow{{Definition: &Definition{
			Name:      "SecurityFlow",
			Variables: []Variable{{Name: "cameraResult"}},
			Steps: []Step{
				{Name: "Camera", Out: []string{"cameraStepDone"},
					Activity: &DeviceAction{Role: "camera", Action: "capture", Output: "cameraResult"}},
				{Name: "Screen", In: In{Events: []string{"cameraStepDone"}},
					Activity: &DeviceAction{Role: "screen", Action: "display",
						Args: []Arg{{Name: "imageUri", Value: Value{Expr: must("cameraResult.lastClickedImage")}}}}},
			},
		}}},
		Triggers: []Trigger{{
			Name:  "MotionEventTrigger",
			Event: &DeviceEvent{Role: "motionSensor", Name: "StateChanged", When: must("event.isMotionDetected")},
			Start: []Start{{Flow: "SecurityFlow"}},
		}},
	}
}
