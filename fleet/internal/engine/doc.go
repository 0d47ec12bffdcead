// Package engine is an MQTT 3.1.1 client for thousands of devices in one process.
//
//	e, err := engine.New(engine.Options{Devices: 10000, Ramp: 1000, …,
//		Session: func(i int) engine.Session { return engine.Session{Login: …, Filters: …} },
//		Client:  func(i int) engine.Client { return newDevice(i) },
//	})
//	err = e.Run(ctx)
//
// # How it works
//
// A device is a [Client], a state machine that knows neither network nor clock, and a session:
// some 150 bytes that hold what MQTT 3.1.1 has to remember. The devices are dealt out to a few
// shards. A shard is one goroutine and one lock; it has a heap of the next moment of each of its
// devices, and a carrier that moves bytes:
//
//	          ┌────────────── shard ──────────────┐
//	timers ──▶│ session ⇄ Client   session ⇄ …    │──▶ send  ─▶ carrier ─▶ network
//	feed   ──▶│                                   │◀── lost  ◀─
//	          └───────────────────────────────────┘
//
// In the clear on Linux the carrier is an epoll descriptor: no goroutine, no buffer and no
// timer for a device. Elsewhere, and under TLS, it is a goroutine for each connection.
//
// What is due is done at moments 10 ms apart, so that a thousand messages in a second are a
// hundred wake-ups. A shard that has nothing due sleeps until something is: it never polls.
//
// # Connecting
//
// At most Ramp connections are opened in a second, whatever the reason: a start, or a broker
// that died under all devices at once. At most 64 of them wait for an answer at a time,
// because a broker's listen queue holds about a hundred, and a SYN that finds it full is sent
// again after a second. A device that fails waits a random time between nothing and a bound
// that doubles from 1 s to 32 s.
//
// # From outside
//
// Do acts upon a device as its Client does: it publishes, ends the session with a goodbye or
// without one, or lets the device stay away and join again. That is how devices are made,
// reconfigured and disturbed while they run.
//
// # What comes in
//
// Every byte of a broker is checked before it is used. A message above MaxInbound is read over.
// Unfinished packets of all devices together may hold 64 MiB; above that their connections are
// closed.
package engine
