//go:build !race

package history

// raced is whether the race detector runs, under which a year takes minutes. make test-faults
// has the long forms without it.
const raced = false
