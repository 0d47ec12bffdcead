// Package scenario reads what a fleet of simulated devices is to do over time, and plans it for
// each device: phases, and faults at times.
//
//	s, err := scenario.Parse("storm.yaml", text)
//	p, err := scenario.NewPlan(s, 1000, seed)
//	for _, step := range p.Steps { … } // sessions that begin and end
//	t := p.Track(17)                   // what device 17 sends, message by message
//	item := t.Next()
//
// # What follows from what
//
// All of it is pure: no clock, no network. Which devices a fault hits follows from the seed and
// the fault; when a device sends what follows from the seed, its number and the times of the
// file:
//
//	phases   |── night ──────────|── morning ───────────────|
//	fault             |─ break ─|
//	device   o--x--x--x·········x--x--x-x-x-x-x-x-x-x-x-x-x-|
//	         start    no session    a shorter interval
//
// A [Track] is that line of one device. It has times, but it does not look at a clock: a device
// that is late, because its broker is slow or gone, sends the same messages in the same order,
// later. So two runs with one seed have the same messages of each device, whatever the network
// does meanwhile. docs/scenarios.md is for users.
package scenario
