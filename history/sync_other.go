//go:build !linux

package history

// Sync is fsync.
func (f osFile) Sync() error { return f.File.Sync() }
