package hw

// Parts lists what a board has at a moment. A part that could not be looked at
// has an Err, and as much of the rest as is known.
type Parts struct {
	GPIO         []GPIOChip
	I2C          []I2CBus
	Serial       []SerialPart
	Video        []VideoPart
	Framebuffers []FramebufferPart
}

// GPIOChip is a chip with digital lines.
type GPIOChip struct {
	Node  string // "/dev/gpiochip0"
	Label string // "pinctrl-rp1"
	Lines []GPIOLine
	Err   error
}

// GPIOLine is one line of a chip.
type GPIOLine struct {
	Offset int
	// Name is the kernel's name for the line; empty when it has none.
	Name string
	// Open is the shortest name by which OpenPin and OpenOutput open the line:
	// "GPIO17", "gpio-sim:A". Empty when no name does.
	Open string
	// Pin is the line's pin on the 40-pin header of a Raspberry Pi, 1 to 40; 0 for
	// lines that are not on it.
	Pin int
	// Used says that a program or the kernel has the line, Consumer which.
	Used     bool
	Consumer string
	// Output says that the line drives its wire. Of a line that was given back the
	// kernel has what it was last, whatever the chip made of it.
	Output bool
}

// I2CBus is an I²C adapter.
type I2CBus struct {
	Node    string // "/dev/i2c-1"
	Open    string // the name that OpenBus takes: "1"
	Adapter string // the kernel's name of it: "bcm2835 (i2c@7e804000)"
	// Devices are the chips on the bus, in the order of their addresses.
	Devices []I2CDevice
	// Err says why the bus was not searched, or not to the end.
	Err error
}

// I2CDevice is an address on a bus at which there is a chip.
type I2CDevice struct {
	Address uint16
	// Driver is the kernel driver that uses the chip, which was not disturbed
	// then; empty for a chip that answered.
	Driver string
	// Name is what the kernel calls the chip that its driver uses: "ds1307".
	Name string
}

// SerialPart is a serial port. It is not opened to be listed: that can reset what is
// connected to it.
type SerialPart struct {
	Node string // "/dev/ttyUSB0"
	// Open is the name to open it by, one that stays the same where the system has such
	// names: "/dev/serial/by-id/usb-…-port0".
	Open  string
	Title string // node and driver
	// Console says that the kernel writes its messages to the port.
	Console bool
}

// VideoPart is a video device.
type VideoPart struct {
	Node string // "/dev/video0"
	// Open is the name to open it by. It stays the same when cameras are plugged
	// into other sockets or found in another order, where the system has such
	// names: "/dev/v4l/by-id/usb-…-video-index0".
	Open    string
	Title   string // node, driver and name
	Formats []VideoFormat
	// Err is ErrUnsupported for devices that are no cameras.
	Err error
}

// FramebufferPart is a screen.
type FramebufferPart struct {
	Node     string // "/dev/fb0"
	Title    string // node and driver
	Geometry Geometry
	// Err is ErrUnsupported for a screen with pixels that cannot be drawn.
	Err error
}
