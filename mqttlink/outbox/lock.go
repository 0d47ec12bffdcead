package outbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
// closed. On a disk that cannot be written the result may be nil: nobody else can
// write there either, and the lock is taken before the first write.
func lockFolder(dir string) (*os.File, error) {
	name := folder(dir).path(lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil && unwritable(err) {
		if f, err = os.Open(name); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	ok, err := tryLock(f)
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
