//go:build !windows

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nonblock opens a named pipe without a writer, too.
const nonblock = syscall.O_NONBLOCK

// SyncFolder makes what was made, renamed and removed in a folder survive.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Unwritable reports whether err is of a disk that can be read but not written.
func Unwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
}

// TryLock takes the lock on f, which ends with the process, and reports whether
// no other process has it.
func TryLock(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// root reports whether this process may give files away. Every other user makes files
// that are their own anyway.
func root() bool { return os.Geteuid() == 0 }

// owner returns whose a folder is.
func owner(dir string) (uid, gid int, err error) {
	st, err := os.Stat(dir)
	if err != nil {
		return 0, 0, err
	}
	s := st.Sys().(*syscall.Stat_t)
	return int(s.Uid), int(s.Gid), nil
}

// openFile is os.OpenFile, but what root makes in the folder of another user belongs to
// that user.
//
// In such a folder its owner may have put a symbolic link, or be about to. So root
// follows none there, and gives away only what it has made itself: O_EXCL (open(2)).
func openFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	if flag&os.O_CREATE == 0 || !root() {
		return os.OpenFile(name, flag, perm)
	}
	uid, gid, err := owner(filepath.Dir(name))
	if err != nil || uid == 0 {
		return os.OpenFile(name, flag, perm)
	}
	for {
		f, err := os.OpenFile(name, flag|os.O_EXCL|syscall.O_NOFOLLOW, perm)
		switch {
		case err == nil:
			if err := f.Chown(uid, gid); err != nil {
				f.Close()
				return nil, errors.Join(err, os.Remove(name))
			}
			return f, nil
		case !errors.Is(err, fs.ErrExist) || flag&os.O_EXCL != 0:
			return nil, err
		}
		f, err = os.OpenFile(name, flag&^os.O_CREATE|syscall.O_NOFOLLOW, perm)
		if !errors.Is(err, fs.ErrNotExist) { // removed in between: made anew
			return f, err
		}
	}
}

// makeFolder is os.Mkdir, but what root makes in the folder of another user belongs to
// that user.
func makeFolder(dir string, perm os.FileMode) error {
	if err := os.Mkdir(dir, perm); err != nil || !root() {
		return err
	}
	uid, gid, err := owner(filepath.Dir(dir))
	if err != nil || uid == 0 {
		return err
	}
	// A folder cannot have a second name, so what is opened here without following a
	// link is the one just made, or one that its owner has put in its place.
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Chown(uid, gid)
}

// GiveSocket makes a socket that this process has just made belong to the owner of its
// folder if this is root.
func GiveSocket(name string) error {
	if !root() {
		return nil
	}
	uid, gid, err := owner(filepath.Dir(name))
	if err != nil || uid == 0 {
		return err
	}
	return chownSocket(name, uid, gid)
}

// Foreign reports whether a file belongs to another user than its folder. Earlier
// versions left such files where root worked in the folder of a service.
func Foreign(name string) bool {
	st, err := os.Lstat(name)
	if err != nil {
		return false
	}
	uid, _, err := owner(filepath.Dir(name))
	return err == nil && int(st.Sys().(*syscall.Stat_t).Uid) != uid
}
