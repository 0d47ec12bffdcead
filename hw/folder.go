package hw

import (
	"fmt"
	"io/fs"
	"os"
)

// Folder is a folder as a root folder for [Board.Sysfs]: "/" on a machine, and
// one that imitates it in tests. A symbolic link that leads out of it cannot be
// followed (os.Root).
type Folder struct{ root *os.Root }

var (
	_ fs.ReadLinkFS = (*Folder)(nil)
	_ fs.SubFS      = (*Folder)(nil)
)

// OpenFolder opens a folder. The runtime closes it when it is no longer used.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("root folder of the kernel's files: %w", err)
	}
	return &Folder{root}, nil
}

// String names the folder.
func (f *Folder) String() string { return f.root.Name() }

// Open opens a file or a folder to read.
func (f *Folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	return direct{file}, nil
}

// Sub opens a folder in it, so that files in there are found without a walk
// through all folders above. It stays the same folder when its path becomes that
// of another.
func (f *Folder) Sub(dir string) (fs.FS, error) {
	if !fs.ValidPath(dir) {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fs.ErrInvalid}
	}
	root, err := f.root.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{root}, nil
}

// ReadLink returns the target of a symbolic link.
func (f *Folder) ReadLink(name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return f.root.Readlink(name)
}

// Lstat describes a file without following it.
func (f *Folder) Lstat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrInvalid}
	}
	return f.root.Lstat(name)
}

// direct is a file that is read past Go's poller. The kernel lets sysfs files be
// polled, so os.File makes them non-blocking, takes a driver's EAGAIN for "wait
// until there is something to read", and waits for ever, as no event comes.
type direct struct{ file *os.File }

var _ fs.ReadDirFile = direct{}

func (d direct) Stat() (fs.FileInfo, error)           { return d.file.Stat() }
func (d direct) ReadDir(n int) ([]fs.DirEntry, error) { return d.file.ReadDir(n) }
func (d direct) Close() error                         { return d.file.Close() }
