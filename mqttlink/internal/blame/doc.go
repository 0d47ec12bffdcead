// Package blame finds out why a broker ends sessions: because of a message, because of the
// messages to a topic, because of the birth message, or because another client has the same
// client id. A broker gives no reason (MQTT 3.1.1 section 4.8), and with QoS 1 a message
// that it does not allow would be sent again in every session, and no message behind it
// would ever be delivered.
//
// # A message
//
// State asks after each session that the broker ended: upon which message? If it is the
// same for several sessions in a row, State probes it: first the session is left quiet,
// then the message is sent alone. Only if the session survives the quiet time and not the
// message is the message the cause.
//
//	session 1   a b c ✕          strike 1 for a: sent and not acknowledged
//	session 2   a b c ✕          strike 2: careful from now on
//	session 3   quiet … a ✕      strike 3: a is poison; it becomes a dead letter
//	session 4   quiet … b … c    both acknowledged: cleared, and no longer careful
//
// With QoS 0 no lack of an acknowledgement shows which message it was. So the suspect is the
// topic of the last one, if the session ends at once; it takes more strikes, and the topic
// is excluded for a while.
//
// # Another client
//
// Two clients with the same id replace each other: the broker closes the connection of one
// when the other connects, which then comes back at once. Sessions that end soon after
// CONNECT, again and again, with no message in flight, show it.
//
// State is pure: events and their times go in, decisions come out. It has no clock, waits
// for nothing and has no lock.
package blame
