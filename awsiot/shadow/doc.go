// Package shadow keeps device shadows of AWS IoT Core in step with a device: it reports what
// the device is, and hands over what the cloud desires of it. Clouds that speak the same
// topics are served as well.
//
// A shadow is a JSON document of a thing in the cloud, with two parts: reported is written by
// the device, desired by others. A thing has one shadow without a name (classic), and others
// with names.
//
//	s, err := shadow.New(shadow.Options{Link: link, Thing: "pi-7", Shadows: []shadow.Shadow{
//		{Settings: settings, Connected: true},
//		{Name: "lamp"},
//	}})
//	…                          // Options.OnState of the link calls s.Online
//	s.Report("lamp", map[string]any{"on": true})
//	err = s.Run(ctx)
//
// # How it works
//
// A [Machine] is one shadow as a pure state machine: messages, times and values go in, requests
// and desired states come out. A [Service] runs the machines of one thing on a connection.
//
//	offline ──connected──▶ get ──accepted──▶ in step ──difference──▶ update
//	                        ▲  ──404──▶ create (update)                │
//	                        └──409, time-out, a version left out───────┘
//
// The machine has a copy of the document and applies to it each accepted update, its own and
// those of others, in the order of their versions. If a version is left out it gets the whole
// document. Deltas bring a change early; one whose version is not above the copy's is ignored.
//
// What is to be reported is a state and no history: at each time one request is under way, the
// difference between the state and the copy is sent, and after a new connection the document
// is compared first. So nothing is lost, and nothing is queued.
//
// The protocol: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html
package shadow
