// Package flowyaml reads and prints flows in pithings' own format, which
// docs/flows.md describes:
//
//	name: SecurityFlow
//	trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
//	steps:
//	  - {name: Camera, thing: camera, action: capture, output: cameraResult}
//	  - {name: Screen, thing: screen, action: display, input: {imageUri: "${cameraResult.lastClickedImage}"}}
//
// It can say all that package flow can. What is printed reads back as the same
// deployment, places in the file apart.
package flowyaml
