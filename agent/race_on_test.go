//go:build race

package agent

// slow is by how much the race detector makes things slower (go.dev/doc/articles/race_detector:
// 2 to 20 times).
const slow = 5
