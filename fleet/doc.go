// Package fleet runs fleets of simulated devices against a broker: thousands in one process, for
// those who build the other side.
//
//	f, err := fleet.New(fleet.Options{
//		Broker: mqttlink.Options{Endpoint: "mqtt://127.0.0.1"}, Devices: 1000,
//		Types: []string{"generic", "bulb"}, Interval: 10 * time.Second, Ramp: 100,
//	})
//	fmt.Println(f.Plan())
//	err = f.Run(ctx)
//	fmt.Println(f.Report())
//
// internal/engine is the client for all devices, internal/playground what each of them does. This
// package says which devices there are, with which identities, and guards brokers of others: see
// [Options.TargetIsMine]. docs/fleet.md is for users.
package fleet
