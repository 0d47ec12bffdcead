// Package queue opens the outboxes in a state folder, one for each connection, and
// turns what is in them into lines of text and back.
//
// A connection is known by its name in the configuration. When its client id
// changes, its backlog follows: the broker knows a session by the id, the messages
// belong to the connection.
package queue
