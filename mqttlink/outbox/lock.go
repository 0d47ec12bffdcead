package outbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"pithings/mqttlink/durable"
)

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
// closed. It waits for nobody.
func lockFolder(dir string) (*os.File, error) {
	name := folder(dir).path(lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
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

// own makes sure, before a segment is made, that the folder is ours: it could not be
// locked if it was not there or not writable when the box was opened, and is not any
// more if somebody has removed the lock file or mounted something else.
func (d *Disk) own() error {
	if d.o.fs != nil {
		return nil
	}
	d.owning.Lock()
	defer d.owning.Unlock()
	if d.owner != nil {
		had, err := d.owner.Stat()
		if err != nil {
			return err
		}
		if is, err := os.Stat(folder(d.dir).path(lockName)); err == nil && os.SameFile(had, is) {
			return nil
		}
	}
	if err := durable.MakeFolder(d.dir); err != nil {
		return err
	}
	f, err := lockFolder(d.dir)
	if err != nil {
		return err
	}
	if d.owner != nil {
		d.owner.Close()
	} else if err := d.unchanged(); err != nil {
		f.Close()
		return err
	}
	d.owner, d.names = f, nil
	d.owned.Store(true)
	return nil
}

// unowned reports whether the folder could not be locked.
func (d *Disk) unowned() bool { return d.o.fs == nil && !d.owned.Load() }

// noteNames keeps what was in a folder that could not be locked.
func (d *Disk) noteNames(names []string) {
	if d.unowned() {
		d.names = logNames(names)
	}
}

// unchanged returns an error if another process has written to the folder before it
// could be locked: what the log is now is not known here.
func (d *Disk) unchanged() error {
	names, err := d.fs.list()
	if err == nil && !slices.Equal(logNames(names), d.names) {
		err = fmt.Errorf("outbox %s was written by another process while this one could not write: end one of them, and start this one again: %w", d.dir, ErrLocked)
	}
	return err
}

// logNames returns the names of segments, in order.
func logNames(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		_, _, ok := parseName(n)
		return !ok
	})
	slices.Sort(names)
	return names
}
