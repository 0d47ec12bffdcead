// Package mqttlink keeps one durable MQTT 3.1.1 connection: it reconnects by
// itself, subscribes again, and holds what was published meanwhile in an ordered
// outbox. It knows nothing about what messages mean.
//
// # Publishing
//
// Publish puts a message into the outbox and returns. One sender works through
// the outbox in order, with at most Options.Window messages on their way at a
// time. With QoS 1 a message leaves the outbox when the broker's PUBACK has come,
// and for no other reason: after a lost connection everything unacknowledged is
// sent again, in order, before anything newer. So nothing is lost, the first
// arrivals are in order, and duplicates come only as a contiguous repetition of at
// most a window after a loss. A message with QoS 0 waits in the outbox like any
// other until there is a connection, leaves it when it has been handed to the
// network, and is never sent twice; if nothing waits, it is handed over at once and
// never gets there.
//
// A message may have a life (Message.Life): when it has passed before the message
// could be sent, the message is dropped in its place in the order, and counted.
//
// A message may say when it was made and where that stands in its payload
// (Message.Time, Message.TimeField). If this machine's clock was not known to be
// right then (Options.Clock), it waits, and all behind it, until the clock is, and
// the time is filled in. What was made before the machine was started again, in a
// boot that never learnt the time, goes out with null.
//
// What a broker does not take (Options.Limits) is refused by Publish and Subscribe
// with an error that names the limit, and what is published faster than its rate
// waits. A message upon which the broker hangs up session after session, so that
// nothing behind it would ever pass, is tried by itself and, if it alone is to
// blame, set aside (Options.SetAside).
//
// A message that is published after Subscribe has returned is sent behind the
// SUBSCRIBE and its answer, so a reply to it cannot be missed.
//
// # Receiving
//
// Each subscription has a goroutine and a queue of its own: 1024 messages, or
// 8 MiB. A handler may take its time, publish, subscribe and cancel; the network,
// the keep-alive and other handlers go on meanwhile. When its queue is full the
// oldest message gives way, which is counted and logged: what comes in are
// commands and states, of which the latest counts. Messages larger than
// Options.MaxInbound are acknowledged, dropped and logged.
//
// A handler must expect duplicates (QoS 1 allows them, and some brokers send one
// copy for each of several overlapping filters) and retained messages at every
// reconnect, and also when somebody else subscribes to the same filter.
//
// # Connecting
//
// Every session is a new client of the underlying library, with the same client
// id, because the library's own reconnecting ends publications as acknowledged
// that are not, and reorders them. Proxies named in the environment are not used.
// A failure is a Fault: one line that says what to do. While the clock reads
// earlier than the program was built, so that no certificate can be valid, no
// encrypted connection is attempted. Certificates and keys are
// read again at every attempt. Two clients that kick each other because they have
// the same id are recognised; the pauses between attempts are longer then.
package mqttlink
