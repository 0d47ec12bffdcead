package probe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
	"pithings/hw/mock"
)

var update = flag.Bool("update", false, "write testdata/situations.txt anew")

// bench is a machine with a board, to break things on.
type bench struct {
	*mock.Board
	files   fstest.MapFS
	machine *Machine
	refuse  map[string]error // the errors that opening gives, by the part's name
	opened  []string         // the framebuffers that were opened
}

// newBench is a Pi 4 with everything plugged in.
func newBench() *bench {
	b := &bench{Board: mock.New(mock.Options{}), refuse: map[string]error{}, files: fstest.MapFS{}}
	b.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\x00",
		"dev/gpiochip0", "", "dev/i2c-1", "", "dev/video0", "", "dev/fb0", "",
		"sys/class/graphics/fb0/name", "vc4drmfb\n", "sys/class/graphics/fb0/mode", "U:800x480p-0\n",
		"sys/class/graphics/fb0/virtual_size", "800,960\n", "sys/class/graphics/fb0/stride", "1600\n",
		"sys/class/graphics/fb0/bits_per_pixel", "16\n",
		"sys/class/drm/card1-HDMI-A-1/status", "connected\n", "sys/class/drm/card1-Writeback-1/status", "unknown\n",
		"sys/class/vtconsole/vtcon0/name", "(S) dummy device\n", "sys/class/vtconsole/vtcon0/bind", "0\n",
		"sys/bus/i2c/devices/i2c-1/name", "bcm2835 (i2c@7e804000)\n", "sys/class/i2c-dev/i2c-1/name", "bcm2835 (i2c@7e804000)\n",
		"boot/firmware/config.txt", "dtparam=i2c_arm=on\n",
		"sys/class/video4linux/video0/name", "HD Webcam\n", "sys/class/video4linux/video10/name", "bcm2835-codec-decode\n")
	b.machine = &Machine{Root: b.files, UID: 1000, PID: 400, Open: func(string) error { return nil }}
	return b
}

// put writes files: path, text, path, text, …
func (b *bench) put(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		b.files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
}

func (b *bench) link(name, to string) {
	b.files[name] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
}

// remove takes files and folders away.
func (b *bench) remove(paths ...string) {
	for name := range b.files {
		for _, p := range paths {
			if name == p || strings.HasPrefix(name, p+"/") {
				delete(b.files, name)
			}
		}
	}
}

// fails makes opening a part fail as the kernel's board would.
func (b *bench) fails(part string, reason error, format string, args ...any) {
	b.refuse[part] = fmt.Errorf(strings.Replace(format, "REASON", "%w", 1), append([]any{reason}, args...)...)
}

func (b *bench) OpenPin(name string) (gpio.PinIn, error) {
	if err := b.refuse[name]; err != nil {
		return nil, err
	}
	return b.Board.OpenPin(name)
}

func (b *bench) OpenBus(name string) (i2c.BusCloser, error) {
	if err := b.refuse[name]; err != nil {
		return nil, err
	}
	return b.Board.OpenBus(name)
}

func (b *bench) OpenVideo(name string) (hw.Video, error) {
	if err := b.refuse[name]; err != nil {
		return nil, err
	}
	return b.Board.OpenVideo(name)
}

func (b *bench) OpenFramebuffer(name string) (hw.Framebuffer, error) {
	b.opened = append(b.opened, name)
	if err := b.refuse[name]; err != nil {
		return nil, err
	}
	return b.Board.OpenFramebuffer(name)
}

// What is looked at in the situations.
func line(t *testing.T, p *Prober) []Result { return p.Line("motion", "GPIO17") }
func video(t *testing.T, p *Prober) []Result {
	return p.Camera(t.Context(), "camera", "/dev/video0", nil)
}
func screen(_ *testing.T, p *Prober) []Result {
	return p.Screen("screen", "/dev/fb0")
}
func bus(name string) func(*testing.T, *Prober) []Result {
	return func(_ *testing.T, p *Prober) []Result { return p.Bus("sensor", name, findAtBoth) }
}

// findAtBoth is a driver that reads register 0xD0 at two addresses.
func findAtBoth(b i2c.Bus) (string, error) {
	var failed []string
	for _, address := range []uint16{0x76, 0x77} {
		id := make([]byte, 1)
		switch err := b.Tx(address, []byte{0xd0}, id); {
		case err != nil:
			failed = append(failed, fmt.Sprintf("no answer at %#02x (%v)", address, err))
		case id[0] != 0x61:
			failed = append(failed, fmt.Sprintf("another chip at %#02x", address))
		default:
			return "BME680", nil
		}
	}
	return "", fmt.Errorf("bme680: no BME680: %s; connect a BME680", strings.Join(failed, ", "))
}

// csi is how hw/pi refuses the node of a CSI camera.
func (b *bench) csi(node, driver string) {
	b.fails(node, hw.ErrUnsupported, node+" (driver "+driver+"): REASON: this belongs to a CSI camera, which needs libcamera and has no finished pictures to offer here; "+
		"use a USB camera, or feed a v4l2loopback device from rpicam-vid")
}

func (b *bench) noBus() {
	b.fails("1", hw.ErrNotFound, "/dev/i2c-1: REASON: there is no such I²C bus; switch I²C on with `sudo raspi-config nonint do_i2c 0` "+
		"(or dtparam=i2c_arm=on in config.txt and the module i2c-dev), then look with `ls /dev/i2c-*`")
}

func (b *bench) noChip() {
	b.fails("GPIO17", hw.ErrNotFound, `GPIO line "GPIO17": REASON: this machine has no GPIO chip (/dev/gpiochip*)`)
}

func (b *bench) noCamera() {
	b.fails("/dev/video0", hw.ErrNotFound, "/dev/video0: REASON: no such camera; plugged-in ones are listed by `ls -l /dev/v4l/by-id /dev/video*`")
}

func (b *bench) noScreen() {
	b.fails("/dev/fb0", hw.ErrNotFound, "/dev/fb0: REASON: no such screen; plug the display in before the start, "+
		"or set hdmi_force_hotplug=1 (vc4: video=HDMI-A-1:1280x720@60D in cmdline.txt)")
}

func (b *bench) fbcon() {
	b.put("sys/class/vtconsole/vtcon1/name", "(M) frame buffer device\n", "sys/class/vtconsole/vtcon1/bind", "1\n")
}

var situations = []struct {
	name   string
	look   func(*testing.T, *Prober) []Result
	damage func(b *bench)
}{
	{"a line", line, func(*bench) {}},
	{"no such GPIO line", line, func(b *bench) {
		b.fails("GPIO17", hw.ErrNotFound, `GPIO line "GPIO17": REASON: this machine has pinctrl-bcm2711:PIN17, pinctrl-bcm2711:PIN7 and 52 more (gpioinfo lists them)`)
	}},
	{"another program has the GPIO line", line, func(b *bench) {
		b.fails("GPIO17", hw.ErrBusy, `GPIO line "pinctrl-bcm2711:GPIO17": REASON: "gpiomon" holds it; stop that program, or free the pin in the device tree`)
	}},
	{"an overlay has the GPIO line", line, func(b *bench) {
		b.fails("GPIO17", hw.ErrBusy, `GPIO line "pinctrl-bcm2711:GPIO17": REASON: the kernel holds it (a device tree overlay uses the pin for something else)`)
	}},
	{"an agent has the GPIO line", line, func(b *bench) {
		b.fails("GPIO17", hw.ErrBusy, `GPIO line "pinctrl-bcm2711:GPIO17": REASON: "pithings@812" holds it; stop that program, or free the pin in the device tree`)
	}},
	{"no GPIO chip in a container", line, func(b *bench) { b.remove("dev/gpiochip0"); b.noChip() }},
	{"no GPIO chip on a laptop", line, func(b *bench) { b.remove("dev/gpiochip0", "proc/device-tree"); b.noChip() }},

	{"a chip", bus("1"), func(*bench) {}},
	{"I²C is switched off", bus("1"), func(b *bench) {
		b.remove("dev/i2c-1", "sys/bus/i2c", "sys/class/i2c-dev", "boot/firmware/config.txt")
		b.put("sys/class/i2c-dev/i2c-20/name", "fef04500.i2c\n", "sys/class/i2c-dev/i2c-21/name", "fef09500.i2c\n",
			"boot/firmware/config.txt", "#dtparam=i2c_arm=on\ndtparam=audio=on\n")
		b.noBus()
	}},
	{"I²C was switched on since the start", bus("1"), func(b *bench) {
		b.remove("dev/i2c-1", "sys/bus/i2c", "sys/class/i2c-dev")
		b.noBus()
	}},
	{"the module i2c-dev is not loaded", bus("1"), func(b *bench) { b.remove("dev/i2c-1", "sys/class/i2c-dev"); b.noBus() }},
	{"a container without the bus", bus("1"), func(b *bench) { b.remove("dev/i2c-1"); b.noBus() }},
	{"no I²C on a laptop", bus("1"), func(b *bench) {
		b.remove("dev/i2c-1", "sys/bus/i2c", "sys/class/i2c-dev", "boot", "proc/device-tree")
		b.noBus()
	}},
	{"no bus of that name", bus("MCP2221"), func(b *bench) {
		b.fails("MCP2221", hw.ErrNotFound, `I²C bus "MCP2221": REASON: this machine has 1 (bcm2835 (i2c@7e804000))`)
	}},
	{"no bus of that number", bus("17"), func(b *bench) {
		b.fails("17", hw.ErrNotFound, "/dev/i2c-17: REASON: there is no such I²C bus; switch I²C on with `sudo raspi-config nonint do_i2c 0`")
	}},
	{"a USB adapter that is not plugged in", bus("MCP2221"), func(b *bench) {
		b.remove("dev/i2c-1", "sys/bus/i2c", "sys/class/i2c-dev", "boot", "proc/device-tree")
		b.fails("MCP2221", hw.ErrNotFound, `I²C bus "MCP2221": REASON: there is no such I²C bus; switch I²C on with sudo raspi-config nonint do_i2c 0`)
	}},
	{"not in group i2c", bus("1"), func(b *bench) {
		b.fails("1", hw.ErrPermission, "/dev/i2c-1: REASON: user pi is not in group i2c; "+
			"run `sudo usermod -aG i2c pi` and log in again (in a service: SupplementaryGroups=i2c)")
	}},
	{"nothing is wired to the bus", bus("1"), func(b *bench) { b.Bus("1").Attach(0x76, nil) }},
	{"another chip", bus("1"), func(b *bench) { b.Bus("1").Sensor().Pose(0x60) }},
	{"the bus hangs", bus("1"), func(b *bench) { b.Bus("1").Hang(true) }},

	{"a camera", video, func(*bench) {}},
	{"an agent takes a picture", video, func(b *bench) {
		b.put("proc/812/comm", "pithings\n")
		b.link("proc/812/fd/9", "/dev/video0")
	}},
	{"another program has the camera open", video, func(b *bench) {
		b.put("proc/731/comm", "motion\n")
		b.link("proc/731/fd/5", "/dev/video0")
		b.link("proc/400/fd/5", "/dev/video0") // ourselves
	}},
	{"another program has the camera to itself", video, func(b *bench) {
		b.put("proc/731/comm", "motion\n")
		b.link("proc/731/fd/5", "/dev/video0")
		b.fails("/dev/video0", hw.ErrBusy, "/dev/video0: REASON: it is open elsewhere; close the other program first (sudo fuser /dev/video0 names it)")
	}},
	{"no camera at all", video, func(b *bench) {
		b.remove("dev/video0", "sys/class/video4linux/video0")
		b.put("dev/video10", "")
		b.noCamera()
		b.fails("/dev/video10", hw.ErrUnsupported, "/dev/video10 (driver bcm2835-codec): REASON: this is a codec, not a camera")
	}},
	{"only a CSI camera at another node", video, func(b *bench) {
		b.remove("dev/video0", "sys/class/video4linux/video0")
		b.put("dev/video4", "", "sys/class/video4linux/video4/name", "rp1-cfe-csi2_ch0\n")
		b.noCamera()
		b.csi("/dev/video4", "rp1-cfe")
	}},
	{"a CSI camera", video, func(b *bench) {
		b.put("sys/class/video4linux/video0/name", "unicam-image\n")
		b.csi("/dev/video0", "unicam")
	}},
	{"a CSI camera and a USB camera", video, func(b *bench) {
		b.put("sys/class/video4linux/video0/name", "unicam-image\n", "dev/video2", "")
		b.link("dev/v4l/by-id/usb-046d_C270-video-index0", "../../video2")
		b.csi("/dev/video0", "unicam")
	}},
	{"a metadata node", func(t *testing.T, p *Prober) []Result { return p.Camera(t.Context(), "camera", "/dev/video1", nil) }, func(b *bench) {
		b.put("dev/video1", "")
		b.fails("/dev/video1", hw.ErrUnsupported, "/dev/video1 (driver uvcvideo): REASON: this node carries metadata, not pictures; "+
			"use the camera's other node (v4l2-ctl --list-devices, usually the lower number)")
	}},
	{"a loopback device without a source", video, func(b *bench) {
		b.fails("/dev/video0", hw.ErrNotFound, "/dev/video0 (driver v4l2 loopback): REASON: no program feeds this loopback device yet")
	}},
	{"a camera without the wanted format", func(t *testing.T, p *Prober) []Result {
		return p.Camera(t.Context(), "camera", "/dev/video0", func(offered []hw.VideoFormat) (problem, fix string) {
			return fmt.Sprintf("it has %d formats, of which none is the one", len(offered)), "use another camera"
		})
	}, func(*bench) {}},

	{"a screen", screen, func(*bench) {}},
	{"no display at the start", screen, func(b *bench) {
		b.remove("dev/fb0", "sys/class/graphics")
		b.put("sys/class/drm/card1-HDMI-A-1/status", "disconnected\n", "sys/class/drm/card1-HDMI-A-2/status", "disconnected\n")
		b.noScreen()
	}},
	{"the screen is another framebuffer", screen, func(b *bench) {
		b.remove("dev/fb0", "sys/class/graphics", "sys/class/drm")
		b.put("dev/fb1", "")
		b.noScreen()
	}},
	{"a framebuffer of 8 bits", screen, func(b *bench) { b.put("sys/class/graphics/fb0/bits_per_pixel", "8\n") }},
	{"not in group video", screen, func(b *bench) {
		b.machine.Open = func(string) error { return fs.ErrPermission }
		b.fails("/dev/fb0", hw.ErrPermission, "/dev/fb0: REASON: user pi is not in group video; "+
			"run `sudo usermod -aG video pi` and log in again (in a service: SupplementaryGroups=video)")
	}},
	{"the console draws on the screen", screen, func(b *bench) { b.fbcon() }},
	{"the console is handed over", screen, func(b *bench) {
		b.fbcon()
		b.put("etc/systemd/system/pithings.service.d/screen.conf", "[Service]\nTTYPath=/dev/tty1\n")
	}},
	{"a screen that sysfs does not describe", screen, func(b *bench) { b.remove("sys/class/graphics") }},
}

// TestSituations compares what is found in every situation with testdata/situations.txt, which
// can be read as a manual.
func TestSituations(t *testing.T) {
	var out strings.Builder
	for _, s := range situations {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			s.damage(b)
			fmt.Fprintf(&out, "# %s\n\n", s.name)
			for _, r := range s.look(t, New(b, b.machine)) {
				if r.Status != OK && r.Fix == "" {
					t.Errorf("%s: %s: no fix", s.name, r.Problem)
				}
				text := r.Found
				if r.Problem != "" {
					text = strings.TrimPrefix(r.Found+": "+r.Problem, ": ")
				}
				fmt.Fprintf(&out, "%-4s  %s  %s\n", r.Status, r.Part, text)
				if r.Fix != "" {
					fmt.Fprintf(&out, "      fix: %s\n", r.Fix)
				}
			}
			out.WriteString("\n")
			if b.Pin("GPIO17").InUse() || b.Bus("1").InUse() || b.Video("/dev/video0").InUse() || b.Framebuffer("/dev/fb0").InUse() {
				t.Errorf("%s: a part was left open", s.name)
			}
		})
	}
	const file = "testdata/situations.txt"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(want), "\r\n", "\n") != out.String() {
		t.Errorf("not as in %s (go test -update writes it):\n%s", file, out.String())
	}
}

// TestScreenIsNotOpened where sysfs describes it: opening takes the console away.
func TestScreenIsNotOpened(t *testing.T) {
	b := newBench()
	New(b, b.machine).Screen("screen", "/dev/fb0")
	if len(b.opened) > 0 {
		t.Errorf("%v was opened", b.opened)
	}
	New(b, nil).Screen("screen", "/dev/fb0") // a simulated board has no sysfs
	if len(b.opened) != 1 || b.Framebuffer("/dev/fb0").InUse() {
		t.Errorf("opened %v, in use: %v", b.opened, b.Framebuffer("/dev/fb0").InUse())
	}
}

// TestBusIsOnlyRead: neither a write nor a command reaches the chip.
func TestBusIsOnlyRead(t *testing.T) {
	b := newBench()
	before := b.Bus("1").Sensor().Register(0x72)
	r := New(b, b.machine).Bus("sensor", "1", func(bus i2c.Bus) (string, error) {
		if err := bus.Tx(0x76, []byte{0x72, 0x05}, nil); err != nil {
			t.Errorf("a write, which drivers do, is refused: %v", err)
		}
		return "chip", bus.Tx(0x76, []byte{0x72, 0x05}, make([]byte, 1))
	})
	if r[0].Status != Fail || !strings.Contains(r[0].Problem, "only read") || b.Bus("1").Sensor().Register(0x72) != before {
		t.Errorf("%+v, register %#x", r, b.Bus("1").Sensor().Register(0x72))
	}
}

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		begin := time.Now()
		r := Within(t.Context(), 5*time.Second, "camera", func(context.Context) []Result { <-released; return nil })
		close(released)
		if time.Since(begin) != 5*time.Second || len(r) != 1 || r[0].Status != Fail || !strings.Contains(r[0].Problem, "no answer within 5s") {
			t.Errorf("%+v after %v", r, time.Since(begin))
		}
		if r := Within(t.Context(), 5*time.Second, "camera", func(context.Context) []Result { return []Result{Found("camera", "%d", 1)} }); len(r) != 1 || r[0].Found != "1" {
			t.Errorf("%+v", r)
		}
	})
}

func TestFailure(t *testing.T) {
	err := errors.New("a:  b;\n c; do this")
	if r := Failure("p", err, "that"); r.Problem != "a: b; c" || r.Fix != "do this" || r.Cause != err || r.Status != Fail {
		t.Errorf("%+v", r)
	}
	if r := Failure("p", errors.New("a"), "that"); r.Fix != "that" {
		t.Errorf("%+v", r)
	}
	if r := Failure("p", errors.New("a"), ""); r.Fix == "" {
		t.Error("no fix")
	}
}
