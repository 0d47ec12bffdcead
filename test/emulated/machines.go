package emulated

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/test/emulated/debian"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/qemu"
)

// machine is one of the emulated machines.
type machine struct {
	name    string
	flavour debian.Flavour
	modules []string // of Debian's, to load
	// command is how to start QEMU, but for the disk and the network.
	command func(ctx context.Context, b *bench, w boot) (qemu.Machine, error)
	virtio  bool // it can have a disk and a network
}

// sensors are the drivers of the chips that guest/bridge plays: hwmon, industrial
// I/O, and a 1-wire thermometer behind its bridge.
var sensors = []string{"sht21", "bh1750", "ds2482", "w1_therm"}

var raspi0 = machine{
	name:    "raspi0",
	flavour: debian.RPi,
	modules: append(sensors, "i2c-dev", "uhid", "hid-cp2112", "vivid", "configfs"),
	command: raspi0Command,
}

var virt = machine{
	name:    "virt",
	flavour: debian.ARMMP,
	modules: append(sensors, "virtio_pci", "virtio-gpu", "virtio_blk", "virtio_net", "ext4", "crc32c_generic", "i2c-dev", "uhid", "hid-cp2112", "vivid", "configfs"),
	command: virtCommand,
	virtio:  true,
}

// boot is one start of a machine.
type boot struct {
	name     string      // of the folder with its console's log
	screen   image.Point // its size, where that can be chosen
	disk     string      // a file with an ext4 file system; none when empty
	writes   string      // a file that gets a record of what is written to the disk (package writelog); none when empty
	apt      bool        // the Debian with systemd has apt, and the package is still to be installed
	programs []guest.Program
}

// start boots the machine.
func (b *bench) start(ctx context.Context, w boot) (*qemu.Guest, error) {
	dir := filepath.Join(b.dir, w.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	plan, initramfs := b.plan(w), filepath.Join(dir, "initramfs")
	if err := b.pack(ctx, initramfs, w, plan); err != nil {
		return nil, err
	}
	m, err := b.machine.command(ctx, b, w)
	if err != nil {
		return nil, err
	}
	m.Dir = dir
	m.Args = append(m.Args, "-initrd", initramfs)
	if plan.Address != "" {
		// romfile: no machine boots from it, and the ROM is in another package.
		m.Args = append(m.Args, "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
	}
	if plan.Disk != "" {
		m.Args = append(m.Args, w.drive()...)
	}
	return qemu.Boot(ctx, m)
}

// drive is the disk for QEMU. It has a volatile write cache in the guest's eyes: the
// guest's kernel says when to flush it.
func (w boot) drive() []string {
	// QEMU's own end loses nothing here: the computer stays up.
	file := func(node, name string) string {
		return "file,node-name=" + node + ",cache.no-flush=on,filename=" + strings.ReplaceAll(name, ",", ",,")
	}
	disk := file("disk", w.disk)
	if w.writes == "" {
		return []string{"-blockdev", disk, "-device", "virtio-blk-pci,drive=disk,write-cache=on"}
	}
	return []string{
		"-blockdev", disk,
		"-blockdev", file("writes", w.writes),
		"-blockdev", "blklogwrites,node-name=logged,file=disk,log=writes",
		"-device", "virtio-blk-pci,drive=logged,write-cache=on",
	}
}

// raspiScreen is the framebuffer that the Pi Zero's firmware would set up.
var raspiScreen = hw.Geometry{Width: 640, Height: 480, Stride: 1280, BitsPerPixel: 16}

func raspi0Command(ctx context.Context, b *bench, _ boot) (qemu.Machine, error) {
	q, err := b.cache.QEMU(ctx)
	if err != nil {
		return qemu.Machine{}, err
	}
	tree := copyDeviceTree(ctx, b.kernel.DeviceTree("bcm2835-rpi-zero.dtb"), filepath.Join(b.dir, "raspi0.dtb"))
	// QEMU gives the VideoCore the last 64 MiB of 512; the picture is 1 MiB in.
	tree.framebuffer(0x1c100000, raspiScreen, "r5g6b5")
	// QEMU lacks the power domains' registers (ASB), and the driver would fault.
	tree.numbers("/soc/watchdog@7e100000", "reg", 0x7e100000, 0x114)
	tree.text("/soc/watchdog@7e100000", "reg-names", "pm")
	// The board's revision, as the firmware reports it: a Pi Zero.
	tree.node("/system")
	tree.numbers("/system", "linux,revision", 0x900093)
	if tree.err != nil {
		return qemu.Machine{}, tree.err
	}
	memory := filepath.Join(b.dir, "bme680.bin")
	if err := os.WriteFile(memory, sensorMemory(), 0o644); err != nil {
		return qemu.Machine{}, err
	}
	return qemu.Machine{Program: q.Program, Args: []string{
		"-L", q.Data, "-M", "raspi0", "-nodefaults",
		"-kernel", b.kernel.Image(), "-dtb", tree.file,
		// The kernel reads the Pi's system timer, adds, and sets the sum as the
		// time of the next interrupt. When QEMU has to wait in between, for this
		// computer or for a screenshot, that time is over, QEMU takes it for 71
		// minutes in the future, and the guest idles for ever. With its clock bound
		// to its instructions, 8 ns for each, no time goes by in between.
		"-icount", "shift=3",
		"-append", "console=ttyAMA0,115200 panic=-1 quiet nohz=off highres=off",
		"-drive", "file=" + memory + ",format=raw,if=none,id=bme",
		"-device", "at24c-eeprom,bus=i2c-bus.1,address=0x76,rom-size=512,address-size=1,drive=bme",
	}}, nil
}

// sensorMemory is a BME680's registers as the contents of QEMU's EEPROM, the
// only device that it can put on the Pi's own I²C bus. The registers are there
// twice: the EEPROM keeps a ninth address bit.
func sensorMemory() []byte {
	sensor := mock.NewBME680(mock.Environment{}, 1, nil)
	var registers []byte
	for r := range 256 {
		registers = append(registers, sensor.Register(byte(r)))
	}
	return append(registers, registers...)
}

func virtCommand(_ context.Context, b *bench, w boot) (qemu.Machine, error) {
	memory := "512"
	if w.apt {
		memory = "1024" // its Debian is whole, and in memory
	}
	return qemu.Machine{Program: "qemu-system-arm", Args: []string{
		"-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", memory, "-nodefaults", "-no-user-config",
		"-device", fmt.Sprintf("virtio-gpu-pci,xres=%d,yres=%d", w.screen.X, w.screen.Y),
		"-kernel", b.kernel.Image(),
		"-icount", "shift=3", // so that a busy computer makes it slow, not late
		"-append", "console=ttyAMA0 panic=-1 quiet",
	}}, nil
}
