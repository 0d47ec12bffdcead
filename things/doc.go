// Package things puts devices on MQTT: each thing is a device under a name, on
// its own topics, with its own payloads. One file holds one thing's whole
// contract: its topic templates, its payloads and what it does.
//
//	motion.go       {thing}/motion                       HC-SR501
//	environment.go  {thing}/temperature … {thing}/state  BME680, BME688
//	camera.go       {thing}/capture, {thing}/capture/finished
//	screen.go       {thing}/display, {thing}/end
//
// The payloads of motion, camera and screen are those of the AWS IoT Things
// Graph example devices; the environment's are those of the BME680-to-AWS
// tutorial, with the separators that Python's json.dumps writes.
//
// [Remote] is the other side of the same contracts: it lets a flow use a thing
// that listens at the broker, on this host or elsewhere.
package things
