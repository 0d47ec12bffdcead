package host

import (
	"io/fs"

	"pithings/sensors/internal/sysfs"
)

// Deprecated reads the firmware's flags from the file that Raspberry Pi's kernel
// has for them: use it as [Opts.Throttled] where no [Mailbox] can be opened.
// Reading the file makes the kernel log a warning, once after each boot, that it
// is deprecated, and its flags are those that the kernel's driver asked for, up
// to two seconds ago.
func Deprecated(root fs.FS) func() (Flags, error) {
	return func() (Flags, error) {
		files := sysfs.Files{Root: root}
		text, err := files.Text("sys/devices/platform/soc/soc:firmware/get_throttled")
		if err != nil {
			return 0, err
		}
		return parseFlags(text)
	}
}

// The property interface of the firmware's mailbox
// (github.com/raspberrypi/firmware/wiki/Mailbox-property-interface,
// include/soc/bcm2835/raspberrypi-firmware.h).
const (
	tagThrottled = 0x00030046 // RPI_FIRMWARE_GET_THROTTLED
	answered     = 0x80000000
)

// message is a request for a property of one number, and its answer.
type message [7]uint32

// question asks for the flags. A mask of 0 clears none of them.
func question() message {
	return message{0: 7 * 4, 2: tagThrottled, 3: 4}
}

// flags returns the answer to the question.
func (m *message) flags() (Flags, bool) {
	return Flags(m[5]), m[1] == answered && m[2] == tagThrottled && m[4]&answered != 0
}
