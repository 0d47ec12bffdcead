// Package system has the tests of the shipped program in the guest of an
// emulated machine: pithings runs as an ordinary user against real device
// nodes, and the tests, as root, play the world around it.
package system
