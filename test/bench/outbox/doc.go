// Package outbox measures mqttlink/outbox against the least that a disk allows: a
// write into a preallocated file and fdatasync. Contenders take turns in short
// blocks, so that other load of the machine hits all alike, and what counts
// are ratios of one run:
//
//	go test -run '^$' -bench . ./test/bench/outbox
//
// The folder peers is a module of its own, so that other engines can be compared
// without becoming dependencies of pithings.
package outbox
