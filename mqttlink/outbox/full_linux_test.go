package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tmpfs mounts a small file system, or says why not.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("outbox-test", dir, "tmpfs", 0, options); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// A real disk that is full, in every mode: nothing is lost or out of order, and
// it heals when there is room.
func TestDiskFull(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		t.Run(mode.String(), func(t *testing.T) {
			mount := tmpfs(t, "size=3m")
			ballast := filepath.Join(mount, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(mount, "box")
			d := openDisk(t, dir, DiskOptions{Sync: mode, Retry: 10 * time.Millisecond})
			var unsaved []uint64
			n := 0
			for ; len(unsaved) < 100 && n < 10000; n++ {
				seq, err := d.Append(Record{Topic: "t", Payload: []byte(strings.Repeat("x", 1000))})
				if errors.Is(err, ErrUnsaved) {
					unsaved = append(unsaved, seq)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if len(unsaved) == 0 || !errors.Is(d.Stats().Err, syscall.ENOSPC) {
				t.Fatalf("the disk is not full: %+v", d.Stats())
			}
			if found := payloads(t, d); len(found) != n {
				t.Fatalf("%d messages, want %d", len(found), n)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if err := d.Safe(t.Context(), unsaved[len(unsaved)-1]); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = openDisk(t, dir, DiskOptions{})
			if found := payloads(t, d); len(found) != n || d.Len() != n {
				t.Errorf("%d messages found, want %d: %+v", len(found), n, d.Stats())
			}
		})
	}
}

// The folder can be made when the disk can be written: before that all is unsaved.
func TestFolderLater(t *testing.T) {
	for _, tt := range []struct {
		name    string
		flags   uintptr
		options string
		cause   error
	}{{"read-only", syscall.MS_RDONLY, "size=3m", syscall.EROFS}, {"full", 0, "size=3m,nr_inodes=1", syscall.ENOSPC}} {
		t.Run(tt.name, func(t *testing.T) {
			mount := tmpfs(t, tt.options)
			if err := syscall.Mount("outbox-test", mount, "tmpfs", syscall.MS_REMOUNT|tt.flags, tt.options); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(mount, "state", "box")
			d := openDisk(t, dir, DiskOptions{Retry: 10 * time.Millisecond})
			var last uint64
			for _, p := range "abc" {
				seq, err := d.Append(Record{Topic: "t", Payload: []byte(string(p))})
				if !errors.Is(err, ErrUnsaved) || !errors.Is(err, tt.cause) {
					t.Fatalf("append: %v", err)
				}
				last = seq
			}
			if err := d.Ack(1); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("outbox-test", mount, "tmpfs", syscall.MS_REMOUNT, "size=3m,nr_inodes=100"); err != nil {
				t.Fatal(err)
			}
			if err := d.Safe(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, DiskOptions{}); !errors.Is(err, ErrLocked) {
				t.Errorf("the folder is not locked: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, openDisk(t, dir, DiskOptions{})); got != "bc" {
				t.Errorf("contents %s", got)
			}
		})
	}
}

// Two processes that open a box while nothing can be written, nor locked: the one that
// comes too late does not write over what the other has written.
func TestLockLater(t *testing.T) {
	dir := tmpfs(t, "size=3m")
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("outbox-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=3m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	late, err := Open(dir, DiskOptions{still: true})
	if err != nil {
		t.Fatal(err)
	}
	remount(0)
	other, err := Open(dir, DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, "a")
	if _, err := late.Append(Record{Topic: "t", Payload: []byte("x")}); !errors.Is(err, ErrUnsaved) || !errors.Is(err, ErrLocked) {
		t.Errorf("beside the other: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	late.keeper.tend(time.Now().Add(time.Hour))
	if err := late.Stats().Err; !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "start this one again") {
		t.Errorf("after the other: %v", err)
	}
	if err := late.Close(); !errors.Is(err, ErrUnsaved) {
		t.Errorf("close: %v", err)
	}
	if got := contents(t, openDisk(t, dir, DiskOptions{})); got != "a" {
		t.Errorf("contents %s", got)
	}
}

// A file system that becomes read-only, and one that is when the box is opened.
func TestReadOnly(t *testing.T) {
	dir := tmpfs(t, "size=3m")
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("outbox-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=3m"); err != nil {
			t.Skipf("remount: %v", err) // a file is open for writing
		}
	}
	d, err := Open(dir, DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "a")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	d = openDisk(t, dir, DiskOptions{Sync: SyncAlways, Retry: 10 * time.Millisecond})
	if got := contents(t, d); got != "a" {
		t.Errorf("contents %s", got)
	}
	seq, err := d.Append(Record{Topic: "t", Payload: []byte("b")})
	if !errors.Is(err, ErrUnsaved) || !errors.Is(err, syscall.EROFS) {
		t.Fatalf("append: %v", err)
	}
	if got := contents(t, d); got != "ab" {
		t.Errorf("contents %s", got)
	}
	remount(0)
	if err := d.Safe(t.Context(), seq); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, openDisk(t, dir, DiskOptions{})); got != "ab" {
		t.Errorf("contents %s", got)
	}
}

// What is delivered from a full disk is written down there: both slots have had their
// place since the first save.
func TestAcksOnAFullDisk(t *testing.T) {
	mount := tmpfs(t, "size=2m")
	dir := filepath.Join(mount, "box")
	d := openDisk(t, dir, DiskOptions{})
	const n = 6
	for range n {
		if _, err := d.Append(Record{Topic: "t", QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(mount, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for seq := uint64(1); seq < n; seq++ { // each writes the slot that the one before did not
		d = openDisk(t, dir, DiskOptions{})
		if d.Len() != n+1-int(seq) {
			t.Fatalf("%d messages, want %d", d.Len(), n+1-int(seq))
		}
		if err := errors.Join(d.Ack(seq), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
