package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{})
	_, err := Open(dir, DiskOptions{})
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("outbox %s is in use by process %d: end that first, or give this one a folder of its own", dir, os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openDisk(t, dir, DiskOptions{})
}

// Whoever removes the lock file, or mounts something else over the folder, lets two
// processes in. The one whose lock is gone notices before it begins a segment.
func TestLockRemoved(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, DiskOptions{still: true, segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	put(t, first, "a")
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Skip("this system removes no open file:", err)
	}
	second := openDisk(t, dir, DiskOptions{still: true})
	_, err = first.Append(Record{Topic: "t", Payload: make([]byte, 50<<10)})
	if !errors.Is(err, ErrUnsaved) || !errors.Is(err, ErrLocked) {
		t.Errorf("a new segment beside another owner: %v", err)
	}
	put(t, second, "b")
	if got := contents(t, second); got != "ab" {
		t.Errorf("contents %s", got)
	}
	if err := first.Close(); !errors.Is(err, ErrUnsaved) {
		t.Errorf("close: %v", err)
	}

	third := openDisk(t, t.TempDir(), DiskOptions{still: true, segment: 64 << 10})
	put(t, third, "a")
	if err := os.Remove(filepath.Join(third.dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Append(Record{Topic: "t", Payload: make([]byte, 50<<10)}); err != nil {
		t.Errorf("a new segment with nobody else there: %v", err)
	}
	if _, err := Open(third.dir, DiskOptions{}); !errors.Is(err, ErrLocked) {
		t.Errorf("the folder was not locked again: %v", err)
	}
}
