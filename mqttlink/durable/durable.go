// Package durable makes, replaces and owns files and folders so that they survive a
// power cut, and knows the errors of a disk that cannot be written.
//
// What root makes in the folder of another user belongs to that user: otherwise a
// command under sudo would leave files in the folder of a service that the service
// cannot open. All files and folders that outlive the process are made here.
package durable

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// OpenFile is os.OpenFile for a file in a folder that may be another user's.
func OpenFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	return openFile(name, flag, perm)
}

// MakeFolder makes a folder, and those that it is in, for their owner only. One that is
// there already is no error.
func MakeFolder(dir string) error {
	const perm = 0o700
	err, parent := makeFolder(dir, perm), filepath.Dir(dir)
	if errors.Is(err, os.ErrNotExist) && parent != dir {
		if err := MakeFolder(parent); err != nil {
			return err
		}
		err = makeFolder(dir, perm)
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
	f, err := createTemp(name)
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

// createTemp makes a new file beside name.
func createTemp(name string) (*os.File, error) {
	for {
		f, err := OpenFile(fmt.Sprintf("%s.%d.new", name, rand.Uint32()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
	}
}
