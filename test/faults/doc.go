// Package faults proves what pithings promises when things go wrong: networks that
// lose, delay and swallow packets, brokers that restart or never answer, and
// processes that are killed.
package faults
