// Package guest says what the guest of an emulated machine does: which modules
// it loads, which simulated parts it sets up, which programs it runs. The host
// writes a [Plan] into the guest's root file system, and guest/init carries it
// out.
package guest

// PlanFile is where the plan is in the guest.
const PlanFile = "/etc/plan.json"

// RulesFile has the project's udev rules in the guest. Init applies them.
const RulesFile = "/etc/udev/pithings.rules"

// Plan is what init does, in this order.
type Plan struct {
	Modules []Module `json:"modules,omitempty"`
	GPIO    *GPIO    `json:"gpio,omitempty"`
	// Links are symbolic links to make, with their targets.
	Links map[string]string `json:"links,omitempty"`
	// Address is that of the network interface, in QEMU's user network: [Address].
	Address string `json:"address,omitempty"`
	// Disk is a device with an ext4 file system to mount at [Disk].
	Disk     string    `json:"disk,omitempty"`
	Programs []Program `json:"programs,omitempty"`
}

// Module is a kernel module to load.
type Module struct {
	File   string `json:"file"`
	Params string `json:"params,omitempty"`
}

// GPIO is a gpio-sim chip. [SetLine] drives its lines.
type GPIO struct {
	Label string         `json:"label"`
	Count int            `json:"count"`
	Lines map[int]string `json:"lines"` // names by offset
}

// Program is a program to run.
type Program struct {
	// Name for the log.
	Name string   `json:"name"`
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// User runs it as the user pi, who is in the groups gpio, i2c and video,
	// instead of root.
	User bool `json:"user,omitempty"`
	// Helper programs continue in the background; init waits until there is a file
	// that matches the pattern Ready.
	Helper bool   `json:"helper,omitempty"`
	Ready  string `json:"ready,omitempty"`
}

// Places in the guest.
const (
	Disk    = "/disk"    // the disk
	Systemd = "/systemd" // root of a Debian with systemd, for guest/container
	// Package is the Debian package, where that Debian has apt to install it.
	Package = Systemd + "/pithings.deb"
	// ScreenDropIn is where the package has the drop-in for a screen.
	ScreenDropIn = "/usr/share/doc/pithings/examples/screen.conf"
	// SystemdConsole is a named pipe that is that systemd's console.
	SystemdConsole = "/run/systemd-console"
)

// The user network of QEMU ("-netdev user"): the guest's usual address, and the
// one by which it reaches 127.0.0.1 of the machine that runs QEMU.
const (
	Address     = "10.0.2.15"
	HostAddress = "10.0.2.2"
)

// The guest's users and groups. The numbers are those of Raspberry Pi OS, as
// far as it fixes them.
const (
	UserID     = 1000 // pi
	VideoGroup = 44
	GPIOGroup  = 997
	I2CGroup   = 998

	Passwd = "root:x:0:0::/tmp:/bin/false\npi:x:1000:1000::/tmp:/bin/false\n"
	Group  = "root:x:0:\nvideo:x:44:pi\ngpio:x:997:pi\ni2c:x:998:pi\nspi:x:996:pi\npi:x:1000:\n"
)

// The marks that init puts before its lines on the console.
const (
	MarkLine  = "| "       // what a program says
	MarkBegin = "@@BEGIN " // NAME
	MarkEnd   = "@@END "   // NAME CODE
	MarkAsk   = "@@ASK "   // a control.Request for the host, in JSON
	MarkMore  = "@@MORE "  // host to guest: a piece of the reply
	MarkReply = "@@REPLY " // host to guest: the last piece
	MarkDone  = "@@DONE"   // all programs have ended
	MarkInit  = "@@INIT "  // what init itself says
)

// PieceSize bounds the lines that the host sends.
const PieceSize = 512
