// Package events measures what fifty streams of events cost an agent of four simulated parts: its
// processor time beside that of the same agent without a client.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/events
package events
