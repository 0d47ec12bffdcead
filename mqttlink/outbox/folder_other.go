//go:build !linux

package outbox

// Sync is fsync; on macOS package os makes it F_FULLFSYNC.
var fdatasync func(fd int) error
