package pi

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A process whose standard input periph closed gets it back, as /dev/null.
func TestStandardInputIsRepaired(t *testing.T) {
	if os.Getenv("PI_TEST_STDIN") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStandardInputIsRepaired$", "-test.v")
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
	var before, null, after unix.Stat_t
	if err := unix.Fstat(0, &before); err != nil {
		t.Fatal(err)
	}
	if err := repairStdin(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(0, &after); err != nil || after.Ino != before.Ino {
		t.Errorf("an open standard input was touched: %v", err)
	}
	if err := unix.Close(0); err != nil {
		t.Fatal(err)
	}
	if err := repairStdin(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat("/dev/null", &null); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(0, &after); err != nil || after.Rdev != null.Rdev {
		t.Errorf("descriptor 0 is not /dev/null: %v", err)
	}
}
