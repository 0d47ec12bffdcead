//go:build linux && noraw

package rawconn

// raw is false to measure what raw calls are worth.
const raw = false
