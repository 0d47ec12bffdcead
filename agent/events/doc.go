// Package events is the stream of events of an agent: what happens, for pages and programs that
// would otherwise ask again and again. It implements the section "Events" of docs/api.md, by
// server-sent events (html.spec.whatwg.org, section 9.2).
//
// There are two sorts of sources, and no other listener for anything:
//
//   - what happens by itself (a thing's event, a message, a line of the log) is followed;
//   - what has a state (things, connections, deployments, alarms) is a list, which is looked at
//     once a second, and soon after it is said to have changed. Each item that differs is an event.
//     So a queue that grows by a hundred messages a second is one event a second.
//
// An event is encoded once and put into one ring. Clients have no buffers, only a place in the
// ring, so that one that does not read costs nothing more, and it is dropped when a write takes
// too long:
//
//	followed ──┐
//	           ├─▶ ring of 256 KiB ─▶ client (its place), client, client
//	lists ─────┘
//
// Ring and sources exist while there is a client, and a minute longer for those that come back.
// Otherwise a [Stream] is one goroutine that waits.
package events
