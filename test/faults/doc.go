// Package faults proves what pithings promises when things go wrong, with the built
// binary and a real mosquitto: networks that lose, delay and swallow packets, brokers
// that are restarted or never answer, certificates that expire, and programs that are
// killed at any moment.
//
//	make test-faults
//	go test -tags faults -parallel 8 ./test/faults -run TestKill -seed 42
//
// A watcher with a session that the broker keeps, made before the first message,
// writes down what arrives; package ledger compares that with what the publishers
// were reported safe. The network is package netns's (which needs root) with
// package relay in between.
//
// A seed gives the same decisions again, not the same run: when processes are
// scheduled and what they answer is not in its hands.
//
// What a torn write at the moment of a power cut leaves is in the tests of
// mqttlink/outbox (TestTornWrite takes every prefix of a last write) and in
// test/emulated (power cuts of a machine with an ext4 file system).
package faults
