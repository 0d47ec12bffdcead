package pi

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// consumer begins the label by which a line's holder is known (gpioinfo shows it);
// periph's labels are alike: PROGRAM@PROCESS.
const consumer = "pithings"

// requestLine takes a line of a chip with a first configuration. The kernel gives
// the line back when the file is closed.
func requestLine(node string, offset int, config gpioLineConfig) (*os.File, error) {
	chip, err := os.OpenFile(node, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer chip.Close()
	req := gpioLineRequest{numLines: 1, config: config}
	req.offsets[0] = uint32(offset)
	copy(req.consumer[:gpioNameSize-1], fmt.Sprintf("%s@%d", consumer, os.Getpid()))
	if err := ioctl(int(chip.Fd()), gpioGetLine, unsafe.Pointer(&req)); err != nil {
		return nil, fmt.Errorf("request line %d: %w", offset, err)
	}
	// Non-blocking, so that the runtime's poller serves it and deadlines work.
	if err := unix.SetNonblock(int(req.fd), true); err != nil {
		unix.Close(int(req.fd))
		return nil, err
	}
	unix.CloseOnExec(int(req.fd))
	return os.NewFile(uintptr(req.fd), fmt.Sprintf("%s line %d", node, offset)), nil
}

// lineControl makes an ioctl on a requested line. Unlike (*os.File).Fd this leaves the
// file in the poller's care.
func lineControl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = ioctl(int(fd), request, arg) }); err != nil {
		return err
	}
	return result
}

// lineError explains the kernel's error about the line called name on the chip
// node. can is what was asked for: "drive this line".
func lineError(name, node, can string, err error) error {
	title := lineTitle(name)
	switch {
	case is(err, unix.ENODEV, unix.ENXIO, unix.ENOENT, unix.EBADF):
		return because(hw.ErrGone, err, title, "its GPIO chip was unplugged or its driver unbound")
	case is(err, unix.EBUSY):
		return because(hw.ErrBusy, err, title, "%s", holder(name))
	case is(err, unix.EACCES, unix.EPERM):
		return fmt.Errorf("%s: %w", title, permissionError(node, err))
	case is(err, unix.EINVAL, unix.ENOTSUP):
		return because(hw.ErrUnsupported, err, title, "the chip can not %s (%v)", can, err)
	}
	return fmt.Errorf("%s: %w", title, err)
}

// holder looks up who holds a line now.
func holder(name string) string {
	chips, _ := scanGPIO()
	_, l, err := findLine(chips, name)
	if err != nil {
		return "another program took it meanwhile"
	}
	return l.describe()
}

// describe names who holds a line that is in use.
func (l gpioLine) describe() string {
	if strings.TrimSpace(l.consumer) == "" {
		return "the kernel holds it (a device tree overlay uses the pin for something else)"
	}
	return fmt.Sprintf("%q holds it; stop that program, or free the pin in the device tree", l.consumer)
}
