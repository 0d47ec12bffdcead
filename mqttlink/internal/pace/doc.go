// Package pace has the rules for how fast a link sends: a broker's limits a second, the
// drain rate of a backlog, the window of messages in flight, and how long to wait for an
// acknowledgement. It reads no clock and waits for nothing: the time is handed in, and how
// long to wait is handed back.
package pace
