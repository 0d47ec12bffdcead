package hw

// Nodes are a class of device nodes of the kernel, in the words of those who give access to
// them: systemd's DeviceAllow=, udev rules, and groups.
type Nodes struct {
	Prefix    string   // of their names in /dev
	Majors    []string // their names in /proc/devices, for DeviceAllow=char-…
	Modules   []string // the kernel modules that put those names there, where they are not built in
	Subsystem string   // of the kernel, for SUBSYSTEM== in udev rules (the folder's name below /sys/class or /sys/bus)
	Group     string   // whose members may open them, as Raspberry Pi OS and Debian have it
}

// The classes that parts have (raspberrypi-sys-mods, 99-com.rules; systemd's
// 50-udev-default.rules; the kernel's Documentation/admin-guide/devices.txt).
var (
	GPIOChips    = Nodes{"gpiochip", []string{"gpiochip"}, nil, "gpio", "gpio"}
	I2CBuses     = Nodes{"i2c-", []string{"i2c"}, []string{"i2c_dev"}, "i2c-dev", "i2c"}
	VideoDevices = Nodes{"video", []string{"video4linux"}, []string{"videodev"}, "video4linux", "video"}
	Framebuffers = Nodes{"fb", []string{"fb"}, nil, "graphics", "video"}
	SerialPorts  = Nodes{"tty", []string{"ttyACM", "ttyAMA", "ttyS", "ttyUSB"}, []string{"cdc_acm", "usbserial"}, "tty", "dialout"}
)

// AllNodes lists the classes.
func AllNodes() []Nodes { return []Nodes{GPIOChips, I2CBuses, VideoDevices, Framebuffers, SerialPorts} }
