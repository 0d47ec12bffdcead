//go:build unix

package fleet

import (
	"fmt"
	"syscall"
)

// spare is how many files a process has open beside its connections.
const spare = 64

// checkDescriptors says if the system does not grant so many connections. Go has raised the
// limit as far as it may.
func checkDescriptors(devices int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil // then the devices find out
	}
	if uint64(devices)+spare > uint64(limit.Cur) {
		return fmt.Errorf("%d devices need as many open files, and this process may have %d: raise the limit (ulimit -Hn, LimitNOFILE=)", devices, limit.Cur)
	}
	return nil
}
