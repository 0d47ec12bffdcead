package engine

import (
	"time"

	"pithings/mqttlink/packet"
)

// Client is a device. Its methods are called one at a time, by whichever goroutine, and return
// soon. now is the time since the engine started.
type Client interface {
	// Online notes that a session has begun: the broker has let the client in and answered
	// its subscriptions.
	Online(now time.Duration, out Out)
	// Receive takes a message, whose payload is good until it returns. One may come before
	// Online.
	Receive(now time.Duration, m *packet.Message, out Out)
	// Tick is called while there is a session, when the time of Wake has come.
	Tick(now time.Duration, out Out)
	// Wake returns when Tick is to be called next; below 0: never.
	Wake() time.Duration
	// Offline notes that the session has ended.
	Offline(now time.Duration)
}

// Leaver may be implemented by a Client that has something to say before its session ends cleanly.
type Leaver interface {
	// Last is called while there still is a session. At the end of Run its messages with QoS 1
	// have a second for their PUBACKs.
	Last(now time.Duration, out Out)
}

// Out is what a device does during a call of one of its methods.
type Out interface {
	// Publish sends a message. One with QoS 1 that finds 20 others unacknowledged is dropped.
	Publish(m packet.Message)
	// Free returns how many messages with QoS 1 would not be dropped now.
	Free() int
	// Reconnect ends the session cleanly after the call, and begins another one.
	Reconnect()
	// Break closes the connection after the call without a goodbye, so that the broker publishes
	// the will, and begins another one.
	Break()
	// Leave ends the session cleanly after the call. The device stays away until Join.
	Leave()
	// Join lets a device that is away connect, in its turn.
	Join()
}

// Session is what a device connects with.
type Session struct {
	Login   packet.Login
	Filters []packet.Filter // at most 8, which every broker takes
}
