// Package durable makes, replaces and owns files and folders so that they survive a
// power cut, and knows the errors of a disk that cannot be written.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder, and those that it is in. One that is there already is no
// error.
func MakeFolder(dir string) error {
	err, parent := os.Mkdir(dir, 0o700), filepath.Dir(dir)
	if errors.Is(err, os.ErrNotExist) && parent != dir {
		if err := MakeFolder(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		return SyncFolder(parent)
	}
	if st, statErr := os.Stat(dir); statErr == nil && st.IsDir() {
		return nil
	}
	return err
}

// Replace writes a file so that after a power cut the old or the new one is there,
// whole.
func Replace(name string, data []byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // if it was not renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return SyncFolder(dir)
}
