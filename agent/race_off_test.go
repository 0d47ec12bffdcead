//go:build !race

package agent

// slow is by how much the race detector makes things slower.
const slow = 1
