// Package broker runs a small MQTT broker inside the process, so that a laptop, a
// single Pi or the boards of a house need no other.
//
// The protocol's rules, the tree of subscriptions and the sessions' ends are those of
// github.com/mochi-mqtt/server/v2. What costs memory is our own, because the library
// copies a message for each subscriber and bounds numbers, not bytes: hooks take each
// message out of its hands (OnPublish), and package store queues and counts it; the
// connections that the library gets are our own, too, so that it never waits for a
// client, and nothing is allocated for a packet that is not within the budget.
//
//	socket → frames.Guard → library → hooks → store → writer → socket
//
// Everything is kept in memory, within Options.MaxMemory. A client that is not let in by
// package access, by password or certificate, gets no further than CONNECT. The
// process's own clients come through Dial, whatever the network does.
package broker
