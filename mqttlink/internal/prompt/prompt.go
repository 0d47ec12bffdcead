// Package prompt reads and writes TCP connections without telling Go's scheduler.
//
// Before each system call Go notes that its processor may be taken away, and wakes the
// thread that would do so if that had gone to sleep. Between two messages all of a
// process sleeps, so this is done once for each of them: it costs half as much as
// handling the message (perf's trace of a flow through a broker: 15 of 45 µs), and the
// thread then runs where the broker should. It is of no use for
// calls that cannot block, which those on Go's sockets are: they say EAGAIN, and Go's
// poller waits. So the calls are made as raw ones (syscall.RawSyscall).
package prompt

// Gauge tells how many bytes of a connection the other end does not have yet.
type Gauge interface {
	// Unsent returns what has been written and has not been acknowledged by the other
	// end's kernel. Without ok nothing tells.
	Unsent() (n int, ok bool)
}
