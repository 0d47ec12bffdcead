// Package cloud is the cloud side of AWS IoT Core's device services over any broker: it
// subscribes to the reserved topics and answers with AWS's documents, limits and refusals.
// It serves tests, private clouds on one mosquitto (pithings cloud), and simulations:
//
//	c, err := cloud.New(cloud.Options{Client: link, Dir: "state", Log: log})
//	…
//	defer c.Close()
//	err = c.Run(ctx) // serves until ctx is done
//
// Each service is a state machine in a package of its own below internal, which knows no
// topics; this package carries messages to them, and keeps their records in a journal
// (internal/store). A request is answered when what it changed is on disk: a version that a
// device has seen never comes again. Requests that arrive together are saved together.
//
// Who may publish and subscribe to what is the broker's business: docs/cloud.md has the
// access list for mosquitto.
package cloud
