//go:build unix

package binary

import (
	"syscall"
	"testing"
)

// AllowFiles lets the programs that are started from now on have n open files, or as many as the system
// allows, and returns how many that is. Go has raised its own limit, and gives programs the one that it
// was started with, often 1,024, unless it is set.
func AllowFiles(t testing.TB, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(limit.Max, uint64(n)) // not all that it allows: some programs have a table for each
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(limit.Cur)
}
