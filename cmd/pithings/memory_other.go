//go:build !linux

package main

// forgetStart has nothing to do: only Linux runs on small boards.
func forgetStart() {}
