// Package rehearsal runs a scenario with the devices of a fleet.
//
//	r, err := rehearsal.New(plan, rehearsal.Options{…})
//	e, err := engine.New(engine.Options{Away: r.Away, Client: r.Client, …})
//	err = r.Run(ctx, e)
//	report := r.Report(e)
//
// What a device publishes is the work of its actor, which follows the device's track at its own
// pace. When sessions end and begin is done by Run, at the times of the plan, for all devices at
// once:
//
//	plan ─▶ Track ─▶ actor ─▶ playground.Device ─▶ messages
//	     ─▶ Steps ─▶ Run ─▶ engine.Do ─▶ sessions
package rehearsal
