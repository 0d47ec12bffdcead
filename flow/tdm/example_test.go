package tdm_test

import (
	"fmt"
	"os"

	"pithings/flow"
	"pithings/flow/tdm"
)

// The three documents of the guide's SecurityFlow, and what they say.
func Example() {
	var files []tdm.File
	for _, name := range []string{"workflow.graphql", "system.graphql", "deployment.graphql"} {
		text, err := os.ReadFile("testdata/security/" + name)
		if err != nil {
			fmt.Println(err)
			return
		}
		files = append(files, tdm.File{Name: name, Text: text})
	}
	documents, err := tdm.Read(files...)
	if err != nil {
		fmt.Println(err) // file:line:column: what is wrong; what to write instead
		return
	}
	got, err := documents.Import(tdm.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range got.Deployments {
		if err := d.Validate(documents.Known(tdm.Options{})); err != nil {
			fmt.Println(err)
			return
		}
		for _, b := range d.Things {
			fmt.Println(b.Role, "is", b.Thing)
		}
		for _, t := range d.Triggers {
			fmt.Println(t.Event.Role, t.Event.Name, "starts", t.Start[0].Flow)
		}
		for _, s := range d.Flows[0].Definition.Steps {
			a := s.Activity.(*flow.DeviceAction)
			fmt.Println(s.Name+":", a.Role, a.Action)
		}
	}
	// Output:
	// motionSensor is TG_MS
	// camera is TG_Camera
	// screen is TG_Screen
	// motionSensor StateChanged starts SecurityFlow
	// Camera: camera capture
	// Screen: screen display
}
