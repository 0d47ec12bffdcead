package outbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

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

// badSector is after how many failed reads a place counts as lost.
const badSector = 5

// readAll fills b from off on, with zeros behind the end of the file. A read that
// fails is repeated: much depends on what is read by this.
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
	f, err := durable.OpenFile(d.path(name), flag, 0o600)
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

// osFile is a file with fdatasync where there is one. Unlike fsync that writes no inode when
// nothing but the times in it has changed: on a preallocated file it halves what reaches the
// disk.
type osFile struct {
	*os.File
	raw  syscall.RawConn
	mu   sync.Mutex
	sync func(fd uintptr) // made once, so that Sync allocates nothing
	last error
}

func newOSFile(f *os.File) (file, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	o := &osFile{File: f, raw: raw}
	o.sync = func(fd uintptr) {
		for {
			if o.last = fdatasync(int(fd)); o.last != syscall.EINTR {
				return
			}
		}
	}
	return o, nil
}

func (o *osFile) Sync() error {
	if fdatasync == nil {
		return o.File.Sync()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.raw.Control(o.sync); err != nil {
		return err
	}
	if o.last != nil {
		return &os.PathError{Op: "fdatasync", Path: o.Name(), Err: o.last}
	}
	return nil
}

func (o *osFile) Size() (int64, error) { return size(o.File) }

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

// ErrLocked is wrapped by LockedError.
var ErrLocked = errors.New("another process owns the outbox")

// LockedError says that a folder belongs to another process.
type LockedError struct {
	Dir string
	PID int // 0: not known
}

// Error names the folder and the process.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = "process " + strconv.Itoa(e.PID)
	}
	return fmt.Sprintf("outbox %s is in use by %s: end that first, or give this one a folder of its own", e.Dir, who)
}

// Unwrap makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Unwrap() error { return ErrLocked }

// lockName is the file that is locked; it holds the owner's process id as text.
const lockName = "lock"

// lockFolder makes this process the owner of the folder until the result is
// closed. It does not wait.
func lockFolder(dir string) (*os.File, error) {
	name := folder(dir).path(lockName)
	f, err := durable.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil && durable.Unwritable(err) { // one that is there can be locked all the same
		if g, openErr := os.Open(name); openErr == nil {
			f, err = g, nil
		}
	}
	if err != nil {
		return nil, err
	}
	ok, err := durable.TryLock(f)
	if err != nil || !ok {
		defer f.Close()
		if err != nil {
			return nil, err
		}
		return nil, &LockedError{Dir: dir, PID: ownerOf(f)}
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people; the lock holds without
	}
	return f, nil
}

// ownerOf returns the process id that the lock file names, or 0.
func ownerOf(f *os.File) int {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// owner is the lock of the box's folder.
type owner struct {
	dir     string
	fs      files
	virtual bool                          // a file system of a test: there is nothing to lock
	inLog   func(names []string) []string // those of segments, in order

	mu    sync.Mutex  // taken last
	f     *os.File    // the lock; nil until the folder can be written
	owned atomic.Bool // f is not nil
	names []string    // of the log, while it is nil
}

// open takes the lock. Where nothing can be written no other process can either: it is
// taken before the first write then.
func (o *owner) open() error {
	f, err := lockFolder(o.dir)
	if err == nil {
		o.f = f
		o.owned.Store(true)
	}
	if err != nil && (durable.Unwritable(err) || errors.Is(err, fs.ErrNotExist)) {
		err = nil
	}
	return err
}

// own makes sure, before a segment is made, that the folder is ours: it could not be
// locked if it was not there or not writable when the box was opened, and is not any
// more if the lock file was removed or something else mounted there.
func (o *owner) own() error {
	if o.virtual {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f != nil {
		had, err := o.f.Stat()
		if err != nil {
			return err
		}
		if is, err := os.Stat(folder(o.dir).path(lockName)); err == nil && os.SameFile(had, is) {
			return nil
		}
	}
	if err := durable.MakeFolder(o.dir); err != nil {
		return err
	}
	f, err := lockFolder(o.dir)
	if err != nil {
		return err
	}
	if o.f != nil {
		o.f.Close()
	} else if err := o.unchanged(); err != nil {
		f.Close()
		return err
	}
	o.f, o.names = f, nil
	o.owned.Store(true)
	return nil
}

// missing reports whether the folder could not be locked.
func (o *owner) missing() bool { return !o.virtual && !o.owned.Load() }

// noteNames keeps what was in a folder that could not be locked.
func (o *owner) noteNames(names []string) {
	if o.missing() {
		o.names = o.inLog(names)
	}
}

// unchanged returns an error if another process has written to the folder before it
// could be locked: what the log is now is not known here.
func (o *owner) unchanged() error {
	names, err := o.fs.list()
	if err == nil && !slices.Equal(o.inLog(names), o.names) {
		err = fmt.Errorf("outbox %s was written by another process while this one could not write: end one of them, and start this one again: %w", o.dir, ErrLocked)
	}
	return err
}

// close gives the lock up.
func (o *owner) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f != nil {
		o.f.Close()
		o.f = nil
	}
}
