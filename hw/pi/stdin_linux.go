package pi

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// keepStdin keeps file descriptor 0 through periph's initialisation; call the
// returned function after it.
//
// gpioioctl's (*GPIOChip).Close sets its descriptor to 0 and then closes it, so
// that standard input is closed whenever two /dev/gpiochip* name one chip
// (periph host v3.8.5; the Pi links gpiochip4 to gpiochip0). The next thing
// opened would become descriptor 0, which gpioioctl takes for "line not
// requested". And where standard input is the terminal that systemd handed over
// (StandardInput=tty), closing the only file on it would take the terminal away
// from the process for good, and with it the right to switch the console.
func keepStdin() (restore func() error, err error) {
	kept, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if errors.Is(err, unix.EBADF) {
		// Closed already: anything that stays open will do.
		kept, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err == nil && kept == 0 {
			return func() error { return nil }, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keep standard input: %w", err)
	}
	return func() error {
		defer unix.Close(kept)
		var st unix.Stat_t
		if err := unix.Fstat(0, &st); !errors.Is(err, unix.EBADF) {
			return nil
		}
		if err := unix.Dup3(kept, 0, 0); err != nil {
			return fmt.Errorf("standard input was closed and cannot be restored: %w", err)
		}
		return nil
	}, nil
}
