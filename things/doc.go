// Package things puts devices on MQTT: each thing is a device under a name, on
// its own topics, with its own payloads. One file holds one thing's whole
// contract: its topic templates, its payloads, its settings and what it does, described once as a
// [Kind]. [Kinds] lists them, and docs/things.md shows their topics and payloads.
//
// A new kind is one file with its test, and one line in the list. Tests say what its description
// lacks, and compare it with what a simulated thing publishes.
//
// The payloads of motion, camera and screen are those of the AWS IoT Things
// Graph example devices; the environment's are those of the BME680-to-AWS
// tutorial, with the separators that Python's json.dumps writes.
//
// [Remote] is the other side of the same contracts: it lets a flow use a thing
// that listens at the broker, on this host or elsewhere.
package things
