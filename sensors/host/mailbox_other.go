//go:build !linux

package host

import "errors"

func (m *Mailbox) ioctl(*message) error { return errors.ErrUnsupported }
