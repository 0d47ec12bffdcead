package durable

// SyncFolder has nothing to do: a folder cannot be flushed on Windows, NTFS journals it.
func SyncFolder(string) error { return nil }
