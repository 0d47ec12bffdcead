package discover

import (
	"context"
	"encoding/json"
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
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/probe"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// bench is a machine with a board, to which things can be connected.
type bench struct {
	*mock.Board
	model   string
	files   fstest.MapFS
	parts   *hw.Parts // nil: those of the simulated board
	machine *probe.Machine
	owners  []Owner
}

func (b *bench) String() string { return b.model }

func (b *bench) Parts(ctx context.Context) hw.Parts {
	if b.parts == nil {
		return b.Board.Parts(ctx)
	}
	return *b.parts
}

func (b *bench) Sysfs(name string) (fs.FS, error) {
	switch {
	case b.parts == nil:
		return b.Board.Sysfs(name)
	case len(b.files) == 0:
		return nil, hw.ErrUnsupported // no Linux
	}
	return b.files, nil
}

// newBench is a simulated board.
func newBench(t *testing.T) *bench {
	b := &bench{Board: mock.New(mock.Options{}), model: "simulated board", files: fstest.MapFS{}}
	t.Cleanup(func() { b.Close() })
	return b
}

// pi makes it a Pi 4 with much connected to it.
func (b *bench) pi() {
	b.model = "Raspberry Pi 4 Model B Rev 1.4"
	b.machine = &probe.Machine{Root: b.files, UID: 1000, PID: 400, Open: func(string) error { return nil }}
	b.put("proc/device-tree/model", b.model, "dev/serial0", "", "sys/class/video4linux/video0/name", "HD Webcam\n",
		"sys/class/hwmon/hwmon2/name", "ds3231\n", "sys/class/hwmon/hwmon2/temp1_input", "21500\n",
		"sys/class/thermal/thermal_zone0/type", "cpu-thermal\n", "sys/class/thermal/thermal_zone0/temp", "48000\n")
	b.parts = &hw.Parts{
		GPIO: []hw.GPIOChip{header(), {Node: "/dev/gpiochip1", Label: "raspberrypi-exp-gpio", Lines: []hw.GPIOLine{
			{Name: "BT_ON", Open: "BT_ON", Used: true, Consumer: "shutdown"}, {Offset: 1, Name: "WL_ON", Open: "WL_ON"}}}},
		I2C: []hw.I2CBus{
			{Node: "/dev/i2c-1", Open: "1", Adapter: "bcm2835 (i2c@7e804000)", Devices: []hw.I2CDevice{
				{Address: 0x23}, {Address: 0x40}, {Address: 0x48}, {Address: 0x68, Driver: "rtc-ds1307", Name: "ds3231"}, {Address: 0x76}}},
			{Node: "/dev/i2c-20", Open: "20", Adapter: "fef04500.i2c"},
		},
		Video: []hw.VideoPart{
			{Node: "/dev/video0", Open: "/dev/v4l/by-id/usb-046d_0825_5A2B-video-index0", Title: "/dev/video0 (HD Webcam, driver uvcvideo)", Formats: []hw.VideoFormat{
				{Pixel: hw.MJPG, Width: 1280, Height: 720}, {Pixel: hw.YUYV, Width: 640, Height: 480}}},
			{Node: "/dev/video1", Open: "/dev/video1", Title: "/dev/video1", Err: fmt.Errorf("/dev/video1 (driver uvcvideo): %w: this node carries metadata, not pictures", hw.ErrUnsupported)},
		},
		Framebuffers: []hw.FramebufferPart{{Node: "/dev/fb0", Title: "/dev/fb0 (vc4drmfb)", Geometry: hw.Geometry{
			Width: 800, Height: 480, Stride: 1600, BitsPerPixel: 16,
			Red: hw.Bitfield{Offset: 11, Length: 5}, Green: hw.Bitfield{Offset: 5, Length: 6}, Blue: hw.Bitfield{Offset: 0, Length: 5}}}},
	}
}

// header has some lines of the header.
func header() hw.GPIOChip {
	c := hw.GPIOChip{Node: "/dev/gpiochip0", Label: "pinctrl-bcm2711"}
	for n := range 28 {
		name := fmt.Sprintf("GPIO%d", n)
		c.Lines = append(c.Lines, hw.GPIOLine{Offset: n, Name: name, Open: name, Pin: hw.HeaderPin(n)})
	}
	c.Lines = append(c.Lines, hw.GPIOLine{Offset: 42, Name: "STATUS_LED_G_CLK", Open: "STATUS_LED_G_CLK", Used: true, Consumer: "led0"})
	return c
}

func (b *bench) put(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		b.files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
}

// remove takes a folder away.
func (b *bench) remove(dir string) {
	for name := range b.files {
		if strings.HasPrefix(name, dir+"/") {
			delete(b.files, name)
		}
	}
}

// opened marks a device as open in a process.
func (b *bench) opened(node string, pid int, name string) {
	b.put(fmt.Sprintf("proc/%d/comm", pid), name+"\n")
	b.files[fmt.Sprintf("proc/%d/fd/9", pid)] = &fstest.MapFile{Data: []byte(node), Mode: fs.ModeSymlink}
}

// holds marks a line as held.
func (b *bench) holds(line int, consumer string) {
	l := &b.parts.GPIO[0].Lines[line]
	l.Used, l.Consumer = true, consumer
}

func (b *bench) look(t *testing.T) *Report {
	t.Helper()
	r, err := Look(t.Context(), Options{Prober: probe.New(b, b.machine), Owners: b.owners})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func thingsOf(t *testing.T, text string) []config.Thing {
	t.Helper()
	c, _, err := config.Parse("test", []byte("broker: {listen: \"127.0.0.1:1883\"}\nthings:\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Things
}

const gone = "%w: user pi is not in group %s; run `sudo usermod -aG %[2]s pi` and log in again"

var situations = []struct {
	name    string
	connect func(t *testing.T, b *bench)
	denied  int
}{
	{"a simulated board", func(*testing.T, *bench) {}, 0},
	{"a Pi with much connected to it", func(_ *testing.T, b *bench) { b.pi() }, 0},
	{"a computer without parts", func(_ *testing.T, b *bench) {
		b.pi()
		b.remove("proc/device-tree")
		b.model, b.parts = "Linux amd64 machine", &hw.Parts{}
	}, 0},
	{"an agent that has all", func(t *testing.T, b *bench) {
		b.parts = &hw.Parts{I2C: []hw.I2CBus{{Node: "/dev/i2c-1", Open: "1", Adapter: "bcm2835 (i2c@7e804000)", Devices: []hw.I2CDevice{{Address: 0x76}}}}}
		b.put("sys/class/hwmon/hwmon2/name", "ds3231\n", "sys/class/hwmon/hwmon2/temp1_input", "21500\n")
		b.owners = []Owner{{Config: "/etc/pithings/pithings.yaml", Things: thingsOf(t, `
  - {name: attic, type: environment}
  - {name: clock, type: kernel, device: ds3231}
  - {name: me, type: host}
`)}}
	}, 0},
	{"an agent that runs", func(t *testing.T, b *bench) {
		b.pi()
		b.holds(4, "pithings@812")
		b.holds(18, "gpiomon")
		b.opened("/dev/fb0", 812, "pithings")
		b.owners = []Owner{{Config: "/etc/pithings/pithings.yaml", Things: thingsOf(t, `
  - {name: motion, type: motion, pin: "pinctrl-bcm2711:GPIO4"}
  - {name: door, type: motion, pin: GPIO17}
  - {name: attic, type: environment, bus: /dev/i2c-1}
  - {name: wall, type: screen}
`)}}
	}, 0},
	{"an agent that runs with a configuration that this user may not read", func(_ *testing.T, b *bench) {
		b.pi()
		b.holds(17, "pithings@812")
		b.opened("/dev/fb0", 812, "pithings")
		b.opened("/dev/video0", 731, "motion")
	}, 0},
	{"names that are taken", func(t *testing.T, b *bench) {
		b.owners = []Owner{{Config: "pi.yaml", Things: thingsOf(t, "  - {name: motion, type: motion, pin: GPIO5}\n  - {name: motion2, type: motion, pin: GPIO6}\n")}}
	}, 0},
	{"two sensors and two cameras", func(_ *testing.T, b *bench) {
		b.Bus("1").Attach(0x77, b.Bus("1").Sensor())
		b.Video("/dev/video2").Configure(mock.VideoOptions{Pixel: hw.YUYV})
		b.Video("/dev/video4").Configure(mock.VideoOptions{Pixel: 'Z' | '1'<<8 | '6'<<16 | ' '<<24})
	}, 0},
	{"a BME280 instead of a BME680", func(_ *testing.T, b *bench) {
		b.pi()
		b.Bus("1").Sensor().Pose(0x60)
	}, 0},
	{"a USB adapter, and a chip that no list has", func(_ *testing.T, b *bench) {
		b.pi()
		b.parts = &hw.Parts{I2C: []hw.I2CBus{{Node: "/dev/i2c-22", Open: "22", Adapter: "MCP2221 usb-i2c bridge", Devices: []hw.I2CDevice{{Address: 0x09}, {Address: 0x23}}}}}
	}, 0},
	{"an expander", func(_ *testing.T, b *bench) {
		b.parts = &hw.Parts{GPIO: []hw.GPIOChip{{Node: "/dev/gpiochip2", Label: "mcp23017", Lines: []hw.GPIOLine{{Name: "A0", Open: "A0"}, {Offset: 1}}}}}
	}, 0},
	{"the bus hangs", func(_ *testing.T, b *bench) { b.Bus("1").Hang(true) }, 0},
	{"a CSI camera", func(_ *testing.T, b *bench) {
		b.pi()
		b.put("sys/class/video4linux/video0/name", "unicam-image\n")
		b.parts = &hw.Parts{Video: []hw.VideoPart{{Node: "/dev/video0", Open: "/dev/video0", Err: fmt.Errorf("/dev/video0 (driver unicam): %w: this belongs to a CSI camera, "+
			"which needs libcamera and has no finished pictures to offer here; use a USB camera, or feed a v4l2loopback device from rpicam-vid", hw.ErrUnsupported)}}}
	}, 0},
	{"no permission", func(_ *testing.T, b *bench) {
		b.parts = &hw.Parts{
			GPIO:         []hw.GPIOChip{{Node: "/dev/gpiochip0", Err: fmt.Errorf("/dev/gpiochip0: "+gone, hw.ErrPermission, "gpio")}},
			I2C:          []hw.I2CBus{{Node: "/dev/i2c-1", Open: "1", Adapter: "bcm2835 (i2c@7e804000)", Err: fmt.Errorf("/dev/i2c-1: "+gone, hw.ErrPermission, "i2c")}},
			Video:        []hw.VideoPart{{Node: "/dev/video0", Open: "/dev/video0", Title: "/dev/video0", Err: fmt.Errorf("/dev/video0: "+gone, hw.ErrPermission, "video")}},
			Framebuffers: []hw.FramebufferPart{{Node: "/dev/fb0", Title: "/dev/fb0", Err: fmt.Errorf("/dev/fb0: "+gone, hw.ErrPermission, "video")}},
		}
	}, 4},
	{"nothing", func(_ *testing.T, b *bench) { b.parts = &hw.Parts{} }, 0},
	{"names that write to the terminal", func(_ *testing.T, b *bench) {
		b.parts = &hw.Parts{Video: []hw.VideoPart{{Node: "/dev/video0", Open: "/dev/v4l/by-id/usb-\x1b[2J: {x}", Title: "\x1b[2JCam", Formats: []hw.VideoFormat{{Pixel: hw.MJPG}}}}}
	}, 0},
}

// TestSituations compares what is printed in every situation with testdata/situations.txt,
// which can be read as a manual.
func TestSituations(t *testing.T) {
	var out strings.Builder
	for _, s := range situations {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			s.connect(t, b)
			r := b.look(t)
			if n := r.Denied(); n != s.denied {
				t.Errorf("%s: %d parts denied, want %d", s.name, n, s.denied)
			}
			fmt.Fprintf(&out, "# %s\n\n", s.name)
			if err := r.Text(&out); err != nil {
				t.Fatal(err)
			}
			out.WriteString("\n")
			suggestionsAreGood(t, s.name, r, b.owners)
		})
	}
	golden(t, "testdata/situations.txt", out.String())
}

// suggestionsAreGood: a configuration takes all lines together, beside the things that it
// has, and reads from them what they were made of.
func suggestionsAreGood(t *testing.T, name string, r *Report, owners []Owner) {
	t.Helper()
	text, n := "broker: {listen: \"127.0.0.1:1883\"}\nthings:\n", 0
	var out strings.Builder
	if err := r.Text(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if line := strings.Replace(line, "  # - ", "  - ", 1); strings.HasPrefix(line, "  - ") {
			text += line
			n++
		}
	}
	want := 0
	for _, p := range r.Parts {
		want += len(p.Things)
	}
	if n != want {
		t.Errorf("%s: %d lines for %d things:\n%s", name, n, want, text)
	}
	if n == 0 {
		return
	}
	c, warnings, err := config.Parse("discovered", []byte(text), nil)
	if err != nil || len(warnings) > 0 {
		t.Errorf("%s: %v, %v:\n%s", name, err, warnings, text)
		return
	}
	for i := range c.Things {
		t2 := &c.Things[i]
		for _, o := range owners {
			for j := range o.Things {
				if o.Things[j].Name == t2.Name {
					t.Errorf("%s: the name %s is taken", name, t2.Name)
				}
			}
		}
		for j := range r.Parts {
			for _, s := range r.Parts[j].Things {
				if s.Name == t2.Name && s.Type != t2.Type {
					t.Errorf("%s: %s is a %s, want %s", name, s.Name, t2.Type, s.Type)
				}
			}
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(want), "\r\n", "\n") != got {
		t.Errorf("not as in %s (go test -update writes it):\n%s", file, got)
	}
}

func TestJSON(t *testing.T) {
	b := newBench(t)
	b.pi()
	b.parts.GPIO[0].Lines = b.parts.GPIO[0].Lines[16:19]
	b.holds(1, "pithings@812")
	b.owners = []Owner{{Config: "/etc/pithings/pithings.yaml", Things: thingsOf(t, "  - {name: hall, type: motion, pin: GPIO17}\n")}}
	var out strings.Builder
	if err := b.look(t).JSON(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/pi.json", out.String())
}

// TestNothingAsJSON: lists are there when they are empty, for programs that range over them.
func TestNothingAsJSON(t *testing.T) {
	b := newBench(t)
	b.parts = &hw.Parts{}
	var out strings.Builder
	if err := b.look(t).JSON(&out); err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(out.String()), &all); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"configs", "buses", "parts"} {
		if list, ok := all[key].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v", key, all[key])
		}
	}
}

// TestNothingIsChanged: an agent may be using the parts.
func TestNothingIsChanged(t *testing.T) {
	b := newBench(t)
	sensor := b.Bus("1").Sensor()
	if err := sensor.Write([]byte{0x72, 0x05}); err != nil { // an agent's setting
		t.Fatal(err)
	}
	b.look(t)
	if sensor.Register(0x72) != 0x05 || sensor.Measurements() != 0 {
		t.Error("the sensor was reset or made to measure")
	}
	if b.Video("/dev/video0").InUse() || b.Pin("GPIO17").InUse() || b.Bus("1").InUse() || b.Framebuffer("/dev/fb0").InUse() {
		t.Error("a part was left open")
	}
}

// stuck is a board whose camera's driver hangs.
type stuck struct {
	*bench
	released chan struct{}
}

func (s stuck) Parts(context.Context) hw.Parts {
	<-s.released
	return hw.Parts{}
}

func TestDriverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stuck{newBench(t), make(chan struct{})}
		defer close(s.released)
		begin := time.Now()
		_, err := Look(t.Context(), Options{Prober: probe.New(s, nil), Limit: 10 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "no answer within 10s") || time.Since(begin) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestInterrupted(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, Options{Prober: probe.New(b, nil)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzScalar: YAML reads back what was written, as a text, whatever it is.
func FuzzScalar(f *testing.F) {
	for _, s := range []string{"", "1", "on", "null", "a: b", "GPIO17", "/dev/video0", "- x", "#", "a #b", "\u2028", "0x10", "1e3", "~", "usb-046d:0825", "'", `"`, "{}", "é", "28-0316a2795ff1", "1:30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip()
		}
		var back struct{ List []map[string]any }
		text := "list:\n  - {a: " + conf.Scalar(s) + ", b: 1}\n"
		if err := yaml.Unmarshal([]byte(text), &back); err != nil || len(back.List) != 1 || back.List[0]["a"] != s {
			t.Errorf("%q was written as %s and read as %#v, %v", s, conf.Scalar(s), back, err)
		}
	})
}
