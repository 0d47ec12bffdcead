// Package rawconn reads and writes TCP connections without notifying Go's scheduler.
//
// Before each system call Go notes that its processor may be taken away, and wakes the
// thread that would do so if that thread sleeps. Between two messages the whole process
// sleeps, so this happens once for each message: it costs half as much as handling the
// message (perf's trace of a flow through a broker: 15 of 45 µs), and the thread then runs
// where the broker should. It is of no use for calls that cannot block, and those on Go's
// sockets cannot: they return EAGAIN, and Go's poller waits. So the calls are made as raw
// ones (syscall.RawSyscall).
//
// # What it is worth
//
// A chain of four messages through a broker with QoS 1 takes more time without raw calls:
// 19.2 % and 5.5 % in two runs of 120 rounds, 9.2 % and 5.2 % in two others (medians of the
// paired ratios; two shared cores, Linux 6.18, Go 1.26, mosquitto 2.0). Two more runs showed
// no difference (-1.6 % and 1.1 %), so it depends on what else the processors do. To repeat
// it:
//
//	go build -tags noraw -o /tmp/noraw ./cmd/pithings
//	FLOWBENCH_ROUNDS=120 FLOWBENCH_OTHER=/tmp/noraw \
//		go test -run '^$' -bench 'BenchmarkChain/QoS1/back' -benchtime 1x ./test/bench/flow
//
// "other" is the program without raw calls. If that is below 5 % in several runs on a Pi,
// remove Read and Write: the gauge does not need them.
package rawconn
