package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full leaves the picture of before as it was, and no half of the new one.
func TestPictureOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("capture-test", dir, "tmpfs", 0, "size=65536"); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	file := filepath.Join(dir, "picture.jpg")
	before := []byte("the picture of before")
	if err := os.WriteFile(file, before, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writePicture(file, make([]byte, 1<<20)); err == nil {
		t.Fatal("a picture of 1 MiB is on a disk of 64 KiB")
	}
	left, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(left, before) {
		t.Errorf("%d bytes are left of the picture before, %v", len(left), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
	if err := writePicture(file, []byte("smaller")); err != nil {
		t.Error(err)
	}
}
