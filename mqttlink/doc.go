// Package mqttlink keeps one durable MQTT 3.1.1 connection: it reconnects by
// itself, subscribes again, and keeps what is published meanwhile in an ordered outbox. It
// does not know what messages mean.
//
// # Publishing
//
// Publish puts a message into the outbox and returns. One sender works through
// the outbox in order, with at most Options.Window messages in flight at a
// time. With QoS 1 a message leaves the outbox when the broker's PUBACK has come,
// and for no other reason: after a lost connection everything unacknowledged is
// sent again, in order, before anything newer. So nothing is lost, the first
// arrivals are in order, and duplicates come only as a contiguous repetition of at
// most a window after a loss. A message with QoS 0 waits in the outbox like any
// other until there is a connection, leaves it when it has been handed to the
// network, and is never sent twice; if no message is queued, it is handed over at once and
// skips the outbox.
//
// A message may expire (Message.Expiry): if it could not be sent until then, it is dropped
// in its place in the order, and counted.
//
// A message may have the time when it was made, and a place in its payload for it
// (Message.Time, Message.TimeField). If this machine's clock was not known to be right
// then (Options.Clock), the message waits, and all behind it, until the clock is right, and
// the time is filled in. A message of an earlier boot in which the clock was never right is
// sent with null.
//
// Publish and Subscribe refuse what a broker does not take (Options.Limits), with an error
// that names the limit, and messages beyond its rate wait. A message that was accepted before
// the limits were known is checked when it is sent. A message upon which the broker closes
// the connection session after session, so that no message behind it would ever pass, is
// probed by itself (package internal/blame). Both become dead letters
// (Options.KeepDeadLetter).
//
// A message that is published after Subscribe has returned is sent behind the
// SUBSCRIBE and its answer, so a reply to it cannot be missed.
//
// # Receiving
//
// Each subscription has a goroutine and a queue of its own: 1024 messages, or
// 8 MiB. A handler may take its time, publish, subscribe and cancel; the network,
// the keep-alive and other handlers continue meanwhile. When its queue is full the
// oldest message is dropped, which is counted and logged: these are commands and states, of
// which the latest counts. Messages larger than
// Options.MaxInbound are acknowledged, dropped and logged.
//
// A handler must expect duplicates (QoS 1 allows them, and some brokers send one
// copy for each of several overlapping filters) and retained messages at every
// reconnect, and also when another subscriber of this link subscribes to the same filter.
//
// # Connecting
//
// The broker's name may be one of the local network, NAME.local (package dial).
//
// A retained message shows whether the client is there, if that is asked for
// (Options.Status, or Will, Birth and Close): published at each connect before any other
// message, as Run ends, and by the broker when the connection is lost.
//
// Every session is a new client of the underlying library, with the same client
// id, because the library's own reconnecting ends publications as acknowledged
// that are not, and reorders them. Proxies named in the environment are not used.
// A failure is a Fault: one line that says what to do. While the clock reads
// earlier than the program was built, so that no certificate can be valid, no
// encrypted connection is attempted. Certificates and keys are
// read again at every attempt. Two clients that replace each other because they have
// the same id are recognised; the pauses between attempts are longer then.
//
// # The parts
//
//	Link            New, Publish, Subscribe, Run: connects again and again
//	  queue         the outbox and what is known of its messages
//	  subscriptions the handlers
//	  suspects      why the broker ends sessions (internal/blame)
//	  session       one connection
//	    sender      sends from the queue, at the pace of internal/pace
//	    acker       takes out what is acknowledged
//	    subscriber  makes the broker's subscriptions what is wanted
//	    announcer   birth and close messages
//	    wire.Conn   packets on the connection that internal/transport opens
//
// docs/lock-order.md has the order of the locks.
package mqttlink
