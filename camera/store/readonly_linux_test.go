package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is on a disk that has become read-only, in the middle of a picture, is still
// served, and a new picture is refused. Where nothing was yet, nothing is.
func TestReadOnlyDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("store-test", disk, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	used, fresh := filepath.Join(disk, "used"), filepath.Join(disk, "fresh")
	names := []string{put(t, newDisk(t, used, Opts{}), picture(1, 100), noon), put(t, newDisk(t, used, Opts{}), picture(2, 100), noon)}
	if err := os.WriteFile(filepath.Join(used, newName()+unfinishedSuffix), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, want string }{{used, "ab"}, {fresh, ""}} {
		for _, most := range []int{5, 1} { // too many cannot be removed either
			d := newDisk(t, tt.dir, Opts{MaxCount: most})
			if got := kept(t, d, names); got != tt.want {
				t.Errorf("%s: kept %q, want %q", tt.dir, got, tt.want)
			}
			if _, err := d.Put(t.Context(), picture(3, 100), noon); !errors.Is(err, syscall.EROFS) {
				t.Errorf("%s: %v", tt.dir, err)
			}
		}
	}
}
