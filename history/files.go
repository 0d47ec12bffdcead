package history

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"pithings/mqttlink/durable"
)

// files is the folder of the histories. Names have no path. It is an interface so that tests
// can let disks fail and power cuts happen.
type files interface {
	open(name string, flag int) (file, error)
	rename(from, to string) error
	remove(name string) error
	list() ([]string, error)
	modified(name string) (time.Time, error)
	// syncDir makes what open, rename and remove did survive a power cut.
	syncDir() error
}

// file is one open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the contents survive a power cut, and of the rest only what it takes to read
	// them: fdatasync where there is one.
	Sync() error
}

// folder is a folder of the operating system.
type folder string

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

func (d folder) open(name string, flag int) (file, error) {
	if flag&os.O_CREATE != 0 {
		if err := durable.MakeFolder(string(d)); err != nil {
			return nil, err
		}
	}
	f, err := durable.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), &os.PathError{Op: "open", Path: d.path(name), Err: errors.New("it is not a regular file")})
	}
	return osFile{f}, nil
}

func (d folder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d folder) remove(name string) error     { return os.Remove(d.path(name)) }
func (d folder) syncDir() error               { return durable.SyncFolder(string(d)) }

func (d folder) modified(name string) (time.Time, error) {
	info, err := os.Stat(d.path(name))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (d folder) list() ([]string, error) {
	f, err := os.Open(string(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

// attempts are how often a page is read that the disk does not give back.
const attempts = 5

// readFull fills b from off on, with zeros behind the end of the file.
func readFull(f io.ReaderAt, b []byte, off int64) (err error) {
	for range attempts {
		var n int
		if n, err = f.ReadAt(b, off); n == len(b) || errors.Is(err, io.EOF) {
			clear(b[n:])
			return nil
		}
	}
	return err
}
