// Package link measures mqttlink over mutual TLS through a real mosquitto on
// loopback: how fast a backlog on disk is drained, how long a message takes from
// Publish to its PUBACK beside the bare client library, and how many lines a second
// `pithings pub -l` makes safe.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/link
//
// What counts are the ratios of one run.
package link
