//go:build linux && !noraw

package rawconn

// raw says that reads and writes are raw calls, where there are any.
const raw = true
