//go:build !linux

package main

// keepPrivate does nothing: other systems have no such switch for a process of its own.
func keepPrivate() {}
