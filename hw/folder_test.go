//go:build unix

package hw_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"pithings/hw"
)

// tree writes files into a new folder, and links for texts that begin with "->".
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFolder(t *testing.T) {
	dir := tree(t, map[string]string{
		"sys/devices/platform/dht11@4/iio:device0/in_temp_input": "21500\n",
		"sys/bus/iio/devices/iio:device0":                        "->../../../devices/platform/dht11@4/iio:device0",
	})
	f, err := hw.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(f, "sys/devices/platform/dht11@4/iio:device0/in_temp_input"); err != nil {
		t.Error(err)
	}
	text, err := fs.ReadFile(f, "sys/bus/iio/devices/iio:device0/in_temp_input")
	if err != nil || string(text) != "21500\n" {
		t.Errorf("through a link: %q, %v", text, err)
	}
	sub, err := fs.Sub(f, "sys/bus/iio/devices/iio:device0")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(sub, "in_temp_input"); err != nil || string(text) != "21500\n" {
		t.Errorf("in a folder of it: %q, %v", text, err)
	}
	if _, err := fs.Sub(f, "sys/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder of it: %v", err)
	}
	if f.String() != dir {
		t.Errorf("String() = %q, want %q", f, dir)
	}
}

func TestFolderIsNotLeft(t *testing.T) {
	outside := tree(t, map[string]string{"secret": "1\n"})
	f, err := hw.OpenFolder(tree(t, map[string]string{
		"absolute": "->" + filepath.Join(outside, "secret"),
		"up":       "->../../../../../../../../etc/passwd",
		"folder":   "->" + outside,
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"absolute", "up", "folder/secret", "../x"} {
		if text, err := fs.ReadFile(f, name); err == nil {
			t.Errorf("%s was read: %q", name, text)
		}
	}
}

func TestNoFolder(t *testing.T) {
	if _, err := hw.OpenFolder(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want one that is %v", err, fs.ErrNotExist)
	}
}

// A driver that has no value yet answers EAGAIN, and its file can be polled, as a pipe that is
// empty: os.File would wait for ever.
func TestNoValueYetIsAnErrorAtOnce(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "temp1_input")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(pipe, os.O_RDWR, 0) // so that opening it does not wait for one
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	f, err := hw.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(f, "temp1_input"); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%v, want %v", err, syscall.EAGAIN)
	}
}
