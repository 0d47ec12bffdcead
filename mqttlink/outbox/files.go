package outbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"pithings/mqttlink/durable"
)

// files is the folder that a box lives in. Names have no path. It is an
// interface so that tests can let disks fail and power cuts happen.
type files interface {
	open(name string, flag int) (file, error)
	rename(from, to string) error
	remove(name string) error
	list() ([]string, error)
	// syncDir makes what open, rename and remove did survive a power cut.
	syncDir() error
}

// file is one open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
	// Sync makes the contents survive a power cut, and of the rest only what it
	// takes to read them: fdatasync where there is one.
	Sync() error
}

// readAll fills b from off on, with zeros behind the end of the file. A disk that fails
// is asked again: much depends on what is read by this.
func readAll(f file, b []byte, off int64) (err error) {
	for range badSector {
		var n int
		if n, err = f.ReadAt(b, off); n == len(b) || errors.Is(err, io.EOF) {
			clear(b[n:])
			return nil
		}
	}
	return err
}

// folder is a folder of the operating system.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

func (d folder) open(name string, flag int) (file, error) {
	f, err := os.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return newOSFile(f)
}

func (d folder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d folder) remove(name string) error     { return os.Remove(d.path(name)) }
func (d folder) syncDir() error               { return durable.SyncFolder(string(d)) }

func (d folder) list() ([]string, error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// size returns the length of a regular file.
func size(f *os.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !st.Mode().IsRegular() {
		return 0, errors.New(f.Name() + " is not a regular file")
	}
	return st.Size(), nil
}
