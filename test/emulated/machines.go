package emulated

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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
	// boot makes the command line from what has been built in dir.
	boot func(ctx context.Context, m machine, c *debian.Cache, k *debian.Kernel, dir string) (qemu.Machine, error)
	// env names the machine's own parts for the tests.
	env []string
}

var raspi0 = machine{
	name:    "raspi0",
	flavour: debian.RPi,
	modules: []string{"i2c-dev", "uhid", "hid-cp2112", "vivid", "configfs"},
	boot:    bootRaspi0,
}

var virt = machine{
	name:    "virt",
	flavour: debian.ARMMP,
	modules: []string{"virtio_pci", "virtio-gpu", "i2c-dev", "uhid", "hid-cp2112", "vivid", "configfs"},
	boot:    bootVirt,
}

// raspiScreen is the framebuffer that the Pi Zero's firmware would set up.
var raspiScreen = hw.Geometry{Width: 640, Height: 480, Stride: 1280, BitsPerPixel: 16}

func bootRaspi0(ctx context.Context, m machine, c *debian.Cache, k *debian.Kernel, dir string) (qemu.Machine, error) {
	q, err := c.QEMU(ctx)
	if err != nil {
		return qemu.Machine{}, err
	}
	tree := copyDeviceTree(ctx, k.DeviceTree("bcm2835-rpi-zero.dtb"), filepath.Join(dir, "raspi0.dtb"))
	// QEMU gives the VideoCore the last 64 MiB of 512; the picture is 1 MiB in.
	tree.framebuffer(0x1c100000, raspiScreen, "r5g6b5")
	// QEMU lacks the power domains' registers (ASB), and the driver would fault.
	tree.numbers("/soc/watchdog@7e100000", "reg", 0x7e100000, 0x114)
	tree.text("/soc/watchdog@7e100000", "reg-names", "pm")
	// The board's revision, as the firmware tells it: a Pi Zero.
	tree.node("/system")
	tree.numbers("/system", "linux,revision", 0x900093)
	if tree.err != nil {
		return qemu.Machine{}, tree.err
	}
	memory := filepath.Join(dir, "bme680.bin")
	if err := os.WriteFile(memory, sensorMemory(), 0o644); err != nil {
		return qemu.Machine{}, err
	}
	return qemu.Machine{Program: q.Program, Args: []string{
		"-L", q.Data, "-M", "raspi0", "-nodefaults",
		"-kernel", k.Image(), "-dtb", tree.file, "-initrd", filepath.Join(dir, "initramfs"),
		// nohz=off highres=off: a timer compare that QEMU sets in the past is
		// lost, and the idle guest with it.
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

func bootVirt(_ context.Context, _ machine, _ *debian.Cache, k *debian.Kernel, dir string) (qemu.Machine, error) {
	return qemu.Machine{Program: "qemu-system-arm", Args: []string{
		"-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "512", "-nodefaults", "-no-user-config",
		"-device", "virtio-gpu-pci,xres=800,yres=480",
		"-kernel", k.Image(), "-initrd", filepath.Join(dir, "initramfs"),
		"-append", "console=ttyAMA0 panic=-1 quiet",
	}}, nil
}

// modulesDir is where the modules are in the guest.
const modulesDir = "/lib/modules"

// build makes the guest's root file system in dir: programs, modules and plan.
func build(ctx context.Context, m machine, k *debian.Kernel, dir string, programs []guest.Program) error {
	root := qemu.NewInitramfs()
	for _, d := range []string{"proc", "sys", "dev", "tmp", "run"} {
		root.Dir(d, 0o755)
	}
	root.File("etc/passwd", 0o644, []byte(guest.Passwd))
	root.File("etc/group", 0o644, []byte(guest.Group))
	plan := guest.Plan{
		GPIO: &guest.GPIO{Label: "gpio-sim-pi", Count: 54, Lines: map[int]string{
			4: "SIM4", 17: "SIM17", 18: "SIM18", 27: "SIM27",
		}},
		// As on a Pi, where it makes periph close the chip's files, and others'.
		Links:    map[string]string{"/dev/gpiochip9": "gpiochip0"},
		Programs: programs,
	}
	files, err := qemu.Modules(k.ModuleDir(), m.modules...)
	if err != nil {
		return err
	}
	// v4l2loopback needs what vivid has brought already.
	files = append(files, k.Extra["gpio-sim"], k.Extra["v4l2loopback"])
	params := map[string]string{
		// One webcam with one input, and a metadata node beside it.
		"vivid.ko": "n_devs=1 node_types=0x20001 num_inputs=1 input_types=0x0 vid_cap_nr=0 meta_cap_nr=1",
		// Not a capture device until somebody feeds it.
		"v4l2loopback.ko": "devices=1 video_nr=10 exclusive_caps=1 card_label=Loopback",
	}
	for _, f := range files {
		name := filepath.Join(modulesDir, filepath.Base(f))
		root.Copy(name, 0o644, f)
		plan.Modules = append(plan.Modules, guest.Module{File: name, Params: params[filepath.Base(f)]})
	}
	for _, b := range []struct {
		name string
		args []string
	}{
		{"init", []string{"build", "-trimpath", "-ldflags", "-s -w", "pithings/test/emulated/guest/init"}},
		{"bin/bridge", []string{"build", "-trimpath", "-ldflags", "-s -w", "pithings/test/emulated/guest/bridge"}},
		{"bin/feeder", []string{"build", "-trimpath", "-ldflags", "-s -w", "pithings/test/emulated/guest/feeder"}},
		{"bin/pithings", []string{"build", "-trimpath", "-ldflags", "-s -w", "pithings/cmd/pithings"}},
		{"bin/system.test", []string{"test", "-c", "-trimpath", "-ldflags", "-s -w", "pithings/test/emulated/guest/system"}},
		{"bin/pi.test", []string{"test", "-c", "-trimpath", "-ldflags", "-s -w", "pithings/hw/pi"}},
	} {
		file := filepath.Join(dir, filepath.Base(b.name))
		args := append([]string{b.args[0], "-o", file}, b.args[1:]...)
		cmd := exec.CommandContext(ctx, "go", args...)
		// What a Pi Zero runs.
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=6", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		root.Copy(b.name, 0o755, file)
	}
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	root.File(guest.PlanFile, 0o644, text)
	return root.WriteFile(filepath.Join(dir, "initramfs"))
}
