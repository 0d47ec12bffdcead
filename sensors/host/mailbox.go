package host

import (
	"errors"
	"fmt"
	"os"
)

// Mailbox asks the Pi's firmware over /dev/vcio. The service's unit allows that
// only with a drop-in:
//
//	[Service]
//	DeviceAllow=/dev/vcio rw
//
// and the user has to be in the group video. Whoever may open the device may ask
// the firmware for much more than this.
type Mailbox struct {
	file *os.File
	call func(*message) error
}

// OpenMailbox opens the device, "/dev/vcio".
func OpenMailbox(device string) (*Mailbox, error) {
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("firmware's mailbox: %w", err)
	}
	m := &Mailbox{file: file}
	m.call = m.ioctl
	return m, nil
}

// Throttled asks for the flags; it is for [Opts.Throttled].
func (m *Mailbox) Throttled() (Flags, error) {
	msg := question()
	if err := m.call(&msg); err != nil {
		return 0, fmt.Errorf("firmware's mailbox: %w", err)
	}
	f, ok := msg.flags()
	if !ok {
		return 0, errors.New("firmware's mailbox: the firmware does not know get_throttled")
	}
	return f, nil
}

// Close closes the device.
func (m *Mailbox) Close() error { return m.file.Close() }
