package pi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

const serialMissing = "no such serial port; those that there are: `ls -l /dev/serial/by-id /dev/ttyAMA* /dev/ttyUSB* /dev/ttyACM*`"

// Dial implements [hw.Board].
func (b *Board) Dial(ctx context.Context, address string) (net.Conn, error) {
	return dial(ctx, address)
}

// OpenSerial implements [hw.Board].
//
// The port is opened without waiting for a carrier and read through Go's poller: a read that
// waits costs no thread, and its deadline no timer of ours.
func (b *Board) OpenSerial(device string, o hw.SerialOpts) (hw.Serial, error) {
	info, err := os.Stat(device)
	if err != nil {
		return nil, openError(device, err, serialMissing)
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return nil, because(hw.ErrUnsupported, nil, device, "this is %s, not a serial port", fileKind(info.Mode()))
	}
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(device, err, serialMissing)
	}
	if err := prepareSerial(fd, device, o); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s := &serial{node: device, file: os.NewFile(uintptr(fd), device)}
	if err := s.file.SetReadDeadline(time.Time{}); err != nil {
		s.file.Close()
		return nil, because(hw.ErrUnsupported, err, device, "its driver cannot be waited for")
	}
	return s, nil
}

// prepareSerial takes the port for this process and sets it up (termios(3), ioctl_tty(2)).
func prepareSerial(fd int, device string, o hw.SerialOpts) error {
	// The lock is what most programs look at, the exclusive mode keeps the others out. Root
	// is stopped by the first only.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return openError(device, unix.EBUSY, serialMissing)
		}
		return fmt.Errorf("%s: lock: %w", device, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return because(hw.ErrUnsupported, err, device, "this is not a serial port")
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("%s: exclusive mode: %w", device, err)
	}
	setSerial(t, o)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, t); err != nil {
		return because(hw.ErrUnsupported, err, device, "%d bits per second, as asked for, cannot be set", o.Speed)
	}
	// A driver takes what it can do; a receiver accepts what differs by 2 %.
	if t, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		return fmt.Errorf("%s: read its settings: %w", device, err)
	}
	if got := int(t.Ospeed); got < o.Speed-o.Speed/50 || got > o.Speed+o.Speed/50 {
		return because(hw.ErrUnsupported, nil, device, "its driver makes %d bits per second of %d", got, o.Speed)
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH); err != nil {
		return fmt.Errorf("%s: flush: %w", device, err)
	}
	return nil
}

// setSerial makes raw bytes of a terminal's settings: no line editing, no signals, no
// translation, no flow control and no modem lines.
func setSerial(t *unix.Termios, o hw.SerialOpts) {
	t.Iflag, t.Oflag, t.Lflag = unix.IGNBRK, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER
	t.Ispeed, t.Ospeed = uint32(o.Speed), uint32(o.Speed)
	if o.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	switch o.Parity {
	case hw.EvenParity:
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK
	case hw.OddParity:
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK
	}
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// serial is an open serial port.
type serial struct {
	node string
	file *os.File
}

func (s *serial) String() string { return s.node }

func (s *serial) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	return n, s.because(err)
}

func (s *serial) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	return n, s.because(err)
}

// because explains an error of the open port. A port that was unplugged reads as at its end.
func (s *serial) because(err error) error {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		return err
	case errors.Is(err, io.EOF), is(err, unix.EIO, unix.ENODEV, unix.ENXIO):
		return because(hw.ErrGone, err, s.node, "it was unplugged, or its driver has stopped")
	}
	return err
}

func (s *serial) SetReadDeadline(t time.Time) error { return s.file.SetReadDeadline(t) }

func (s *serial) Flush() error {
	c, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var flushed error
	if err := c.Control(func(fd uintptr) { flushed = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCIFLUSH) }); err != nil {
		return err
	}
	return s.because(flushed)
}

func (s *serial) Close() error {
	if err := s.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
