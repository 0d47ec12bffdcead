package pi

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// wake interrupts a poll(2): an eventfd(2) that is polled beside the device.
type wake struct {
	mu sync.Mutex
	fd int // -1 when closed
}

func newWake() (*wake, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &wake{fd: fd}, nil
}

// signal ends the current, or the next, wait. It may be called at any time,
// after close too.
func (w *wake) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		unix.Write(w.fd, []byte{1, 0, 0, 0, 0, 0, 0, 1}) // any number but 0
	}
}

// wait waits until fd can be read or signal is called. revents is what poll(2)
// says about fd, 0 after a signal.
func (w *wake) wait(fd int) (revents int16, err error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(w.fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("poll: %w", err)
		}
		if fds[1].Revents != 0 {
			var count [8]byte
			unix.Read(w.fd, count[:])
			return 0, nil
		}
		return fds[0].Revents, nil
	}
}

// close must not run during a wait.
func (w *wake) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		unix.Close(w.fd)
		w.fd = -1
	}
}
