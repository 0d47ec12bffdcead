//go:build !windows

package durable

import "os"

// SyncFolder makes what was made, renamed and removed in a folder survive.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
