// Package playground has the devices of the AWS IoT Playground as pure state machines: times,
// messages and random numbers go in, publishes go out. They are [engine.Client]s and know no
// network.
//
//	d := playground.New(&settings, playground.Device{Name: "dev-0001", Kind: playground.Bulb, Seed: 7})
//	session := d.Session()
//
//	online ─▶ event (once), jobs/get, shadow/get, telemetry ─▶ telemetry every Interval
//	                                                           Defender every 300 s
//	cmd/ac/DEV/req ─▶ answer to its response-topic
//	jobs/notify-next ─▶ start-next ─▶ the job is done ─▶ update
//	shadow desired.status ─▶ a bulb is lit; what is controlled reports it, too
//	Configure, Act, Press, Link, AskShadow ─▶ what is done to a device from outside, while it runs
//
// The topics and payloads are those of github.com/reisjr/aws-iot-playground, as its device
// programs wrote them. They are older and simpler than what the agent says to the same services
// (awsiot/shadow, awsiot/jobs), which is why its machines are not these: a get has no client
// token, and an update's expectedVersion is a number.
//
// The numbers of a device depend on its seed alone, so that two runs with one seed have the same
// messages of each device in the same order, whatever the network does.
package playground
