package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMailbox(t *testing.T) {
	m := &Mailbox{call: func(msg *message) error {
		// As the firmware answers: the state of the whole, and the length with bit 31.
		if *msg != (message{28, 0, 0x30046, 4, 0, 0, 0}) {
			t.Errorf("the question is %x", *msg)
		}
		msg[1], msg[4], msg[5] = 0x80000000, 0x80000004, 0x50005
		return nil
	}}
	if f, err := m.Throttled(); f != 0x50005 || err != nil {
		t.Errorf("%#x, %v", f, err)
	}
	m.call = func(msg *message) error { msg[1] = 0x80000001; return nil }
	if f, err := m.Throttled(); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("a firmware that refuses: %#x, %v", f, err)
	}
	m.call = func(*message) error { return syscall.ETIMEDOUT }
	if _, err := m.Throttled(); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Error(err)
	}
}

// What is no mailbox does not know the request; a missing one is distinguished.
func TestNoMailbox(t *testing.T) {
	if _, err := OpenMailbox(filepath.Join(t.TempDir(), "vcio")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	m, err := OpenMailbox("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	// QEMU's user emulation, which runs this test on foreign processors, knows no
	// such request at all.
	if _, err := m.Throttled(); !errors.Is(err, syscall.ENOTTY) && !errors.Is(err, syscall.ENOSYS) {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
