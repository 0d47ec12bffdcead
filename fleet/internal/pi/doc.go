// Package pi has virtual Raspberry Pis: what an agent with a motion sensor, a BME680, a camera and a
// screen publishes and answers, as a pure state machine. Times, messages and random numbers go in,
// publishes go out. A [Device] is an [engine.Client] and knows no network.
//
//	d := pi.New(&settings, pi.Device{Name: "dev-0001", Seed: 7})
//	session := d.Session()
//
//	online ─▶ DEV/status online ─▶ readings every Interval, motion now and then
//	DEV/TG_Camera/capture ─▶ shutter ─▶ DEV/TG_Camera/capture/finished
//	DEV/TG_Screen/display ─▶ shown for ten seconds
//
// Topics, QoS and payloads are those of package things, which the agent has, too: nothing of
// them is written here again. A test in test/system holds a virtual Pi to an agent with the
// configuration of [Config].
//
// What a Pi publishes by itself depends on its seed and on times of its own, which begin as it
// connects first. Two runs with one seed have the same messages of each Pi in the same order. What
// would have been published while it was offline is left out: a virtual Pi has no outbox.
package pi
