package pi

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A process whose standard input periph closed gets it back.
func TestStandardInputIsKept(t *testing.T) {
	if os.Getenv("PI_TEST_STDIN") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStandardInputIsKept$", "-test.v")
		cmd.Env = append(os.Environ(), "PI_TEST_STDIN=1")
		out, err := cmd.CombinedOutput()
		if errors.Is(err, unix.ENOEXEC) {
			t.Skip("skipped: this (user mode) emulator cannot start programs of its own kind")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	stat := func() (st unix.Stat_t) {
		if err := unix.Fstat(0, &st); err != nil {
			t.Errorf("descriptor 0: %v", err)
		}
		return st
	}
	// A pipe, to know it again.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := unix.Dup3(int(r.Fd()), 0, 0); err != nil {
		t.Fatal(err)
	}
	r.Close()
	pipe := stat()
	for _, closed := range []bool{false, true} {
		restore, err := keepStdin()
		if err != nil {
			t.Fatal(err)
		}
		if closed {
			unix.Close(0)
		}
		if err := restore(); err != nil || stat().Ino != pipe.Ino {
			t.Errorf("closed %v: descriptor 0 is another file, %v", closed, err)
		}
	}
	// Closed from the start.
	unix.Close(0)
	restore, err := keepStdin()
	if err != nil {
		t.Fatal(err)
	}
	var null unix.Stat_t
	if err := errors.Join(restore(), unix.Stat("/dev/null", &null)); err != nil || stat().Rdev != null.Rdev {
		t.Errorf("descriptor 0 is not /dev/null: %v", err)
	}
}
