//go:build unix

package flows

import "os"

// syncFolder makes what was created, renamed or removed in a folder outlive a power
// cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
