package pi

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// repairStdin makes sure that file descriptor 0 is taken.
//
// gpioioctl's (*GPIOChip).Close sets its descriptor to 0 and then closes it, so
// that standard input is closed whenever two /dev/gpiochip* name one chip
// (periph host v3.8.5; the Pi links gpiochip4 to gpiochip0). The next thing
// opened would become descriptor 0, which gpioioctl takes for "line not
// requested".
func repairStdin() error {
	var st unix.Stat_t
	if err := unix.Fstat(0, &st); !errors.Is(err, unix.EBADF) {
		return nil
	}
	// The kernel hands out the lowest free number, which is 0 unless another
	// goroutine is faster; then that one has taken it, and the job is done.
	fd, err := unix.Open("/dev/null", unix.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("standard input is closed and cannot be replaced: open /dev/null: %w", err)
	}
	if fd != 0 {
		return unix.Close(fd)
	}
	return nil
}
