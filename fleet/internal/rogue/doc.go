// Package rogue does to a broker what attackers and broken firmware do, and finds out what the
// broker lets through.
//
//	r, err := rogue.New(rogue.Options{Devices: devices, Witness: &witness, Addresses: lookUp, Seed: 7})
//	err = r.Run(ctx)
//	for _, found := range r.Results() { … }
//
// A behaviour is one entry of [List]: what it does, what a good broker does, the cure, and a
// function that tries it. It returns a verdict, which rests on evidence and not on return codes: a
// broker may acknowledge what it drops, and grant what it never delivers. The evidence is with a
// second client, the witness. It has a name of its own and sees whether a message, a will or a
// retained message arrives, and whether the broker still answers others.
//
//	rogue   ── PUBLISH cmd/ac/WITNESS/req ─▶ broker     "let through" if the witness gets it
//	rogue   ── PINGREQ ─▶ PINGRESP                      the broker has worked through the PUBLISH
//	witness ── PINGREQ ─▶ PINGRESP                      what it sends to the witness has come
//
// Nothing that a broker sends is trusted: a connection reads a bounded number of bytes for a bounded
// time and keeps a bounded part of them, and every write has a deadline. All that happens is paced
// by the limits in pace.go, for all devices together. What is retained is removed again, also when
// the run is interrupted.
//
// docs/rogue.md is for users.
package rogue
