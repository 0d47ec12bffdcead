package pi

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/hwtest"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
)

// TestKernel holds the board to package hwtest on real device nodes. The
// environment names them, and what stimulates them; what is not named is
// skipped. The emulated Pi (test/emulated) names all, a Pi on a desk may name
// some:
//
//	PITHINGS_TEST_PIN     a line, "gpio-sim:GPIO17"
//	PITHINGS_TEST_OUTPUT  another line of that chip, to drive
//	PITHINGS_TEST_SIM     the folder in configfs of that chip, when it is a gpio-sim
//	PITHINGS_TEST_BUS     an I²C adapter with a BME680 on it
//	PITHINGS_TEST_ADDRESS of the BME680; 0x76 when not set
//	PITHINGS_TEST_STATIC  set when that is a memory that does not measure
//	PITHINGS_TEST_BRIDGE  the control socket of that adapter
//	PITHINGS_TEST_VIDEO   capture devices, separated by commas
//	PITHINGS_TEST_REFUSED a video device that does not capture
//	PITHINGS_TEST_SCREEN  a framebuffer
//	PITHINGS_TEST_HOST    the control socket of whoever can take screenshots;
//	                      the screen is also taken from its driver
func TestKernel(t *testing.T) {
	pin, output := os.Getenv("PITHINGS_TEST_PIN"), os.Getenv("PITHINGS_TEST_OUTPUT")
	bus, video, screen := os.Getenv("PITHINGS_TEST_BUS"), os.Getenv("PITHINGS_TEST_VIDEO"), os.Getenv("PITHINGS_TEST_SCREEN")
	if pin+output+bus+video+screen == "" {
		t.Skip("skipped: no PITHINGS_TEST_… names a device node")
	}
	board, err := Open(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(board.Close)
	// Two nodes of one chip make periph close it.
	if _, err := os.Stdin.Stat(); err != nil {
		t.Errorf("opening the board closed standard input: %v", err)
	}
	h := hwtest.Harness{Open: func(*testing.T) hw.Board { return board }}
	if pin != "" {
		h.Pin = kernelPin(pin, os.Getenv("PITHINGS_TEST_SIM"))
	}
	if output != "" {
		h.Output = kernelOutput(output, os.Getenv("PITHINGS_TEST_SIM"))
	}
	if bus != "" {
		h.Bus = kernelBus(t, bus, os.Getenv("PITHINGS_TEST_BRIDGE"))
	}
	if screen != "" {
		h.Framebuffer = kernelScreen(screen, os.Getenv("PITHINGS_TEST_HOST"))
	}
	first, others, _ := strings.Cut(video, ",")
	if first != "" {
		h.Video = kernelVideo(first)
	}
	hwtest.Run(t, h)
	for _, device := range strings.FieldsFunc(others, func(r rune) bool { return r == ',' }) {
		t.Run(filepath.Base(device), func(t *testing.T) {
			hwtest.Run(t, hwtest.Harness{Open: h.Open, Video: kernelVideo(device)})
		})
	}
}

func kernelPin(name, sim string) *hwtest.Pin {
	p := &hwtest.Pin{Name: name, Missing: "GPIO9999", Hold: holdLine(name)}
	if sim != "" {
		p.Set = setSim(name, sim)
		p.Float = func(*testing.T) {} // the pulls of a gpio-sim are what drives it
	}
	return p
}

func kernelOutput(name, sim string) *hwtest.Output {
	p := &hwtest.Output{Name: name, Missing: "GPIO9999", Hold: holdLine(name)}
	if sim != "" {
		p.Rest = setSim(name, sim)
		p.Level = func(t *testing.T) gpio.Level {
			high, err := guest.Level(sim, bare(name))
			if err != nil {
				t.Fatal(err)
			}
			return gpio.Level(high)
		}
	}
	return p
}

// bare is a line's name without its chip's label.
func bare(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

// holdLine requests the line once more, as another program would.
func holdLine(name string) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		chips, _ := scanGPIO()
		chip, l, err := findLine(chips, name)
		if err != nil {
			t.Fatal(err)
		}
		other := &cdevLine{node: chip.node, offset: l.offset}
		if err := other.In(gpio.PullNoChange, gpio.NoEdge); err != nil {
			t.Fatal(err)
		}
		return other.Close
	}
}

func setSim(name, sim string) func(t *testing.T, l gpio.Level) {
	return func(t *testing.T, l gpio.Level) {
		if err := guest.SetLine(sim, bare(name), bool(l)); err != nil {
			t.Fatal(err)
		}
		// gpio-sim raises its interrupt at the next timer tick, where
		// there is one processor only; two changes before it are none.
		time.Sleep(30 * time.Millisecond)
	}
}

func kernelBus(t *testing.T, name, bridge string) *hwtest.Bus {
	b := &hwtest.Bus{Name: name, Missing: "/dev/i2c-9999", Address: 0x76, ChipID: 0x61, Empty: 0x40, Static: os.Getenv("PITHINGS_TEST_STATIC") != ""}
	if text := os.Getenv("PITHINGS_TEST_ADDRESS"); text != "" {
		n, err := strconv.ParseUint(text, 0, 7)
		if err != nil {
			t.Fatal(err)
		}
		b.Address = uint16(n)
	}
	if bridge != "" {
		b.NACK = func(t *testing.T) func() {
			mustAsk(t, bridge, control.Request{Do: "nack", N: -1})
			return func() { mustAsk(t, bridge, control.Request{Do: "nack"}) }
		}
		b.Hang = func(t *testing.T) func() {
			mustAsk(t, bridge, control.Request{Do: "hang", On: true})
			return func() { mustAsk(t, bridge, control.Request{Do: "hang"}) }
		}
	}
	return b
}

func kernelVideo(device string) *hwtest.Video {
	entry := "/sys/class/video4linux/" + filepath.Base(device)
	name, _ := os.ReadFile(entry + "/name")
	p := &hwtest.Video{Device: device, Missing: "/dev/video9999", Refused: os.Getenv("PITHINGS_TEST_REFUSED")}
	switch {
	case strings.HasPrefix(string(name), "Loopback"):
		p.Shared = true // v4l2loopback serves any number of readers
		p.Stall = stopFeeder
	case strings.HasPrefix(string(name), "vivid"):
		p.Unplug = func(t *testing.T) func() { return unbind(t, entry) }
	}
	if !p.Shared {
		p.Hold = func(t *testing.T) func() { return streamFrom(t, device) }
	}
	return p
}

// streamFrom streams from a camera, as another program would.
func streamFrom(t *testing.T, device string) (release func()) {
	t.Helper()
	v, err := new(Board).OpenVideo(device)
	if err != nil {
		t.Fatal(err)
	}
	formats, err := v.Formats()
	if err == nil {
		_, err = v.Start(formats[0])
	}
	if err != nil {
		v.Close()
		t.Fatal(err)
	}
	return func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

// stopFeeder stops the program that feeds the loopback camera.
func stopFeeder(t *testing.T) (resume func()) {
	t.Helper()
	signal := func(s unix.Signal) {
		t.Helper()
		for _, pid := range guest.Processes("feeder") {
			if err := unix.Kill(pid, s); err != nil {
				t.Error(err)
			}
		}
	}
	signal(unix.SIGSTOP)
	return func() { signal(unix.SIGCONT) }
}

// unbind takes a device away from its driver until bind is called.
func unbind(t *testing.T, entry string) (bind func()) {
	t.Helper()
	again, err := guest.Unbind(entry)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := again(); err != nil {
			t.Error(err)
		}
	}
}

func kernelScreen(device, host string) *hwtest.Framebuffer {
	f := &hwtest.Framebuffer{Device: device, Missing: "/dev/fb9999"}
	if host != "" {
		f.Vanish = func(t *testing.T) func() { return unbind(t, "/sys/class/graphics/"+filepath.Base(device)) }
		f.Screenshot = func(t *testing.T) image.Image {
			// Screens without memory of their own (virtio-gpu, DRM drivers in
			// general) get what was drawn 50 ms later.
			time.Sleep(300 * time.Millisecond)
			img, err := png.Decode(bytes.NewReader(mustAsk(t, host, control.Request{Do: "screenshot"}).Data))
			if err != nil {
				t.Fatal(err)
			}
			return filled(img)
		}
	}
	return f
}

// filled gives the colours of a 16 bit screen their full brightness: QEMU leaves
// the bits empty that the screen does not have.
func filled(img image.Image) image.Image {
	b := img.Bounds()
	full := image.NewRGBA(b)
	var low uint8
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			low |= c.R&7 | c.G&3 | c.B&7
			full.SetRGBA(x, y, color.RGBA{R: c.R | c.R>>5, G: c.G | c.G>>6, B: c.B | c.B>>5, A: c.A})
		}
	}
	if low != 0 {
		return img
	}
	return full
}

func mustAsk(t *testing.T, socket string, q control.Request) control.Reply {
	t.Helper()
	r, err := control.Ask(socket, q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
