// Package fleet measures `pithings fleet` beside a program of the same size with Eclipse's client
// library (peer), one after the other at the same mosquitto: devices with one subscription that
// publish a message with QoS 1 at each interval.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/fleet
//	FLEETBENCH_DEVICES=10000 go test -run '^$' -bench . -benchtime 1x ./test/bench/fleet
//
// What counts are the ratios of one run: memory, processor time for each message, connections in a
// second. With 10,000 devices it fails if a target is missed: 60 MB resident, half the peer's time
// for each message, twice its connections in a second. Dense is 20 devices with 1,000 messages a
// second each, for the messages that a second of the processor is good for: 1.5 times the peer's.
//
// Under mutual TLS it is half as many devices with one certificate: 130 MB, 0.8 times the peer's time for a
// message and for a connection. The fleet resumes sessions, and the peer does not: a library's user
// has to know of that.
//
// Connections in a second end at what mosquitto, which has one thread, can accept: 9,000 to 10,000 on a
// machine where the peer has 5,000 to 6,000. Twice the peer's are missed there, however quick the
// fleet is: mosquitto is busy all the time, and the fleet for less than a half of the peer's.
//
// 50,000 devices need as many open files (ulimit -Hn) in this process and in the broker; ports are
// no limit, because each 20,000 connect from an address of loopback of their own, and memory is 1
// KB for a device here and about 2.7 KB in mosquitto.
package fleet
