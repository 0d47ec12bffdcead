package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/probe"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/clock"
)

var update = flag.Bool("update", false, "write testdata/situations.txt anew")

// bench is a machine with a board, to break things on.
type bench struct {
	*mock.Board
	files   fstest.MapFS
	machine *probe.Machine
	options Options
	// refuse has the errors that opening gives, by the part's name.
	refuse map[string]error
	// opened lists the framebuffers that were opened.
	opened []string
}

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// newBench is a Pi 4 with everything plugged in.
func newBench() *bench {
	b := &bench{Board: mock.New(mock.Options{}), refuse: map[string]error{}, files: fstest.MapFS{
		"proc/device-tree/model":                 text("Raspberry Pi 4 Model B Rev 1.4\x00"),
		"dev/gpiochip0":                          text(""),
		"dev/i2c-1":                              text(""),
		"dev/video0":                             text(""),
		"dev/fb0":                                text(""),
		"sys/class/graphics/fb0/name":            text("vc4drmfb\n"),
		"sys/class/graphics/fb0/mode":            text("U:800x480p-0\n"),
		"sys/class/graphics/fb0/virtual_size":    text("800,960\n"),
		"sys/class/graphics/fb0/stride":          text("1600\n"),
		"sys/class/graphics/fb0/bits_per_pixel":  text("16\n"),
		"sys/class/drm/card1-HDMI-A-1/status":    text("connected\n"),
		"sys/class/drm/card1-Writeback-1/status": text("unknown\n"),
		"sys/class/vtconsole/vtcon0/name":        text("(S) dummy device\n"),
		"sys/class/vtconsole/vtcon0/bind":        text("0\n"),
		"sys/bus/i2c/devices/i2c-1/name":         text("bcm2835 (i2c@7e804000)\n"),
		"sys/class/i2c-dev/i2c-1/name":           text("bcm2835 (i2c@7e804000)\n"),
		"run/systemd/timesync/synchronized":      text(""),
		"boot/firmware/config.txt":               text("dtparam=i2c_arm=on\n"),
		"sys/class/video4linux/video0/name":      text("HD Webcam\n"),
		"sys/class/video4linux/video10/name":     text("bcm2835-codec-decode\n"),
	}}
	b.machine = &probe.Machine{Root: b.files, UID: 1000, PID: 400, Open: func(string) error { return nil }}
	b.options = Options{Board: b, Machine: b.machine, Clock: clock.Machine{Root: b.files}, Now: func() time.Time { return noon }, Built: noon.Add(-30 * 24 * time.Hour)}
	return b
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func link(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }

// put writes files: path, text, path, text, …
func (b *bench) put(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		b.files[pairs[i]] = text(pairs[i+1])
	}
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

func (b *bench) String() string {
	if model := (probe.Files{FS: b.files}).Text("/proc/device-tree/model"); model != "" {
		return model
	}
	return "Linux amd64 machine"
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

func (b *bench) Sysfs(string) (fs.FS, error) { return b.files, nil }

func (b *bench) OpenFramebuffer(name string) (hw.Framebuffer, error) {
	b.opened = append(b.opened, name)
	if err := b.refuse[name]; err != nil {
		return nil, err
	}
	return b.Board.OpenFramebuffer(name)
}

func (b *bench) examine(t *testing.T) Report {
	t.Helper()
	r, err := Examine(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var situations = []struct {
	name   string
	damage func(b *bench)
	fails  int
}{
	{"everything works", func(*bench) {}, 0},
	{"the parts of a configuration", func(b *bench) {
		b.options.Config = parse(`
broker: {listen: "127.0.0.1:1883"}
things:
  - {name: hall, type: motion, pin: "pinctrl-bcm2711:GPIO4"}
  - {name: attic, type: environment, bus: "1", address: 0x77}
  - {name: door, type: camera, device: /dev/video0, format: mjpeg}
  - {name: wall, type: screen}
`)
		b.Bus("1").Attach(0x77, b.Bus("1").Sensor())
	}, 0},
	{"a simulated board", func(b *bench) { b.options.Machine, b.options.Board = nil, b.Board }, 0},

	{"I²C is switched off", func(b *bench) {
		b.remove("dev/i2c-1", "sys/bus/i2c", "sys/class/i2c-dev", "boot/firmware/config.txt")
		b.put("sys/class/i2c-dev/i2c-20/name", "fef04500.i2c\n", "sys/class/i2c-dev/i2c-21/name", "fef09500.i2c\n",
			"boot/firmware/config.txt", "#dtparam=i2c_arm=on\ndtparam=audio=on\n")
		b.noBus()
	}, 1},
	{"nothing is wired to the bus", func(b *bench) { b.Bus("1").Attach(0x76, nil) }, 1},
	{"a BME280 instead of a BME680", func(b *bench) { b.Bus("1").Sensor().Pose(0x60) }, 1},
	{"another chip at the configured address", func(b *bench) {
		b.options.Config = parse("things: [{name: s, type: environment, address: 0x76}]\nbroker: {listen: \"127.0.0.1:1883\"}")
		b.Bus("1").Sensor().Pose(0x58)
	}, 1},
	{"the bus hangs", func(b *bench) { b.Bus("1").Hang(true) }, 1},
	{"not in group i2c", func(b *bench) {
		b.fails("1", hw.ErrPermission, "/dev/i2c-1: REASON: user pi is not in group i2c; "+
			"run `sudo usermod -aG i2c pi` and log in again (in a service: SupplementaryGroups=i2c)")
	}, 1},

	{"an agent runs", func(b *bench) {
		b.fails("GPIO17", hw.ErrBusy, `GPIO line "pinctrl-bcm2711:GPIO17": REASON: "pithings@812" holds it; stop that program, or free the pin in the device tree`)
		b.put("proc/812/comm", "pithings\n")
		b.files["proc/812/fd/9"] = link("/dev/video0")
	}, 0},
	{"no GPIO chip on a laptop", func(b *bench) { b.remove("dev/gpiochip0", "proc/device-tree"); b.noChip() }, 1},

	{"no camera at all", func(b *bench) {
		b.remove("dev/video0", "sys/class/video4linux/video0")
		b.put("dev/video10", "")
		b.noCamera()
		b.fails("/dev/video10", hw.ErrUnsupported, "/dev/video10 (driver bcm2835-codec): REASON: this is a codec, not a camera")
	}, 1},
	{"another program has the camera open", func(b *bench) {
		b.put("proc/731/comm", "motion\n")
		b.files["proc/731/fd/5"] = link("/dev/video0")
		b.files["proc/400/fd/5"] = link("/dev/video0") // ourselves
	}, 0},
	{"a camera without MJPEG", func(b *bench) {
		b.options.Config = parse("things: [{name: cam, type: camera, format: mjpeg}]\nbroker: {listen: \"127.0.0.1:1883\"}")
		b.Video("/dev/video0").Configure(mock.VideoOptions{Pixel: hw.YUYV})
	}, 1},
	{"a camera of infrared pictures", func(b *bench) {
		b.Video("/dev/video0").Configure(mock.VideoOptions{Pixel: hw.GREY})
	}, 0},
	{"a camera of depths", func(b *bench) {
		b.Video("/dev/video0").Configure(mock.VideoOptions{Pixel: 'Z' | '1'<<8 | '6'<<16 | ' '<<24})
	}, 1},
	{"rpicam-vid through v4l2loopback", func(b *bench) {
		b.options.Config = parse("things: [{name: cam, type: camera, format: yu12}]\nbroker: {listen: \"127.0.0.1:1883\"}")
		b.Video("/dev/video0").Configure(mock.VideoOptions{Pixel: hw.YU12})
	}, 0},

	{"no display at the start", func(b *bench) {
		b.remove("dev/fb0", "sys/class/graphics")
		b.put("sys/class/drm/card1-HDMI-A-1/status", "disconnected\n", "sys/class/drm/card1-HDMI-A-2/status", "disconnected\n")
		b.noScreen()
	}, 1},

	{"running as root", func(b *bench) { b.machine.UID = 0 }, 0},
	{"the clock starts in 1970", func(b *bench) {
		b.remove("run/systemd/timesync/synchronized")
		b.put("run/systemd/timesync/clock", "")
		b.options.Now = func() time.Time { return time.Unix(42, 0) }
	}, 0},
	{"the time service has no answer yet, and the kernel may not be asked", func(b *bench) {
		b.remove("run/systemd/timesync/synchronized")
		b.put("run/systemd/timesync/clock", "")
		b.options.Clock.Synchronised = func() (bool, error) { return false, os.NewSyscallError("adjtimex", os.ErrPermission) }
	}, 0},
	{"a time service without an answer, and clock: trust", func(b *bench) {
		b.remove("run/systemd/timesync/synchronized")
		b.put("run/systemd/timesync/clock", "")
		b.options.Config = config.Mock()
		b.options.Config.Clock = config.ClockTrust
	}, 0},
	{"no time service", func(b *bench) { b.remove("run/systemd/timesync/synchronized") }, 0},
	{"no time service, but a real-time clock", func(b *bench) {
		b.remove("run/systemd/timesync/synchronized")
		b.put("sys/class/rtc/rtc0/hctosys", "1\n", "sys/class/rtc/rtc0/since_epoch", fmt.Sprintf("%d\n", noon.Unix()))
	}, 0},
	{"the clock starts in 1970, and the build has no date", func(b *bench) {
		b.remove("run/systemd/timesync/synchronized")
		b.options.Now, b.options.Built = func() time.Time { return time.Unix(42, 0) }, time.Time{}
	}, 0},
	{"names that write to the terminal", func(b *bench) {
		b.put("proc/731/comm", "\x1b[2Jmotion\n")
		b.files["proc/731/fd/5"] = link("/dev/video0")
	}, 0},
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

func parse(s string) *config.Config {
	c, _, err := config.Parse("test", []byte(s), nil)
	if err != nil {
		panic(err)
	}
	return c
}

// TestSituations compares what is printed in every situation with
// testdata/situations.txt, which can be read as a manual; package probe has one with more
// about the parts. Its first situation is
// printed in full, the others without the parts that work as there.
func TestSituations(t *testing.T) {
	var out strings.Builder
	usual := map[probe.Result]bool{}
	for _, s := range situations {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			s.damage(b)
			report := b.examine(t)
			if n := report.Failed(); n != s.fails {
				t.Errorf("%s: %d parts fail, want %d", s.name, n, s.fails)
			}
			var shown Report
			for _, r := range report {
				if r.Status != probe.OK && r.Fix == "" {
					t.Errorf("%s: %s: %s: no fix", s.name, r.Part, r.Problem)
				}
				r.Cause = nil
				if !usual[r] {
					shown = append(shown, r)
				}
				if s.name == situations[0].name {
					usual[r] = true
				}
			}
			fmt.Fprintf(&out, "# %s\n\n", s.name)
			if err := shown.Text(&out, false); err != nil {
				t.Fatal(err)
			}
			out.WriteString("\n")
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

func TestNothingIsChanged(t *testing.T) {
	b := newBench()
	sensor := b.Bus("1").Sensor()
	if err := sensor.Write([]byte{0x72, 0x05}); err != nil { // an agent's setting
		t.Fatal(err)
	}
	b.examine(t)
	if sensor.Register(0x72) != 0x05 || sensor.Measurements() != 0 {
		t.Error("the sensor was reset or made to measure")
	}
	if len(b.opened) > 0 {
		t.Errorf("%v was opened, which takes the console away", b.opened)
	}
	if b.Video("/dev/video0").InUse() || b.Pin("GPIO17").InUse() || b.Bus("1").InUse() {
		t.Error("a part was left open")
	}
}

func TestScreenIsGivenBack(t *testing.T) {
	b := newBench()
	b.options.Machine = nil // only opening the screen shows its state
	b.examine(t)
	if len(b.opened) != 1 || b.Framebuffer("/dev/fb0").InUse() {
		t.Errorf("opened %v, in use: %v", b.opened, b.Framebuffer("/dev/fb0").InUse())
	}
}

// stuck is a board whose camera's driver hangs.
type stuck struct {
	*bench
	released chan struct{}
}

func (s stuck) OpenVideo(string) (hw.Video, error) {
	<-s.released
	return nil, errors.New("too late")
}

func TestDriverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		s := stuck{b, make(chan struct{})}
		defer close(s.released)
		b.options.Board, b.options.Limit = s, 5*time.Second
		begin := time.Now()
		r := b.examine(t)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		if r.Failed() != 1 || !strings.Contains(r[len(r)-2].Problem, "no answer within 5s") {
			t.Errorf("%+v", r)
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		s := stuck{b, make(chan struct{})}
		defer close(s.released)
		b.options.Board = s
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Examine(ctx, b.options); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestJSON(t *testing.T) {
	b := newBench()
	b.Bus("1").Sensor().Pose(0x60)
	var out bytes.Buffer
	if err := b.examine(t).JSON(&out); err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		if len(one) != 5 {
			t.Errorf("keys of %v", one)
		}
		if one["part"] == "sensor" && (one["status"] != "fail" || !strings.Contains(one["problem"], "BME280") || one["fix"] == "") {
			t.Errorf("%v", one)
		}
	}
	out.Reset()
	if err := Report(nil).JSON(&out); err != nil || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("an empty report: %q, %v", out.String(), err)
	}
}

func TestVerboseShowsWholeErrors(t *testing.T) {
	b := newBench()
	b.Bus("1").Attach(0x76, nil)
	var out strings.Builder
	if err := b.examine(t).Text(&out, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n      error: bme680: no BME680 or BME688 on I²C bus 1 (simulated): no answer") {
		t.Error(out.String())
	}
}

func TestConfiguration(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a good one", "broker: {listen: \"127.0.0.1:1883\"}\nthings: [{name: a, type: screen}]",
			"ok    config  pi.yaml: 1 thing, 0 flows\n"},
		{"a slip", "broker: {listen: \"127.0.0.1:1883\"}\nthings:\n  - {name: a, type: motion, pni: GPIO17}",
			"FAIL  config  pi.yaml:3:5: thing \"a\" has no pin\n      fix: write the line's name, for example pin: GPIO17\n" +
				"FAIL  config  pi.yaml:3:29: thing \"a\": unknown key \"pni\"\n      fix: did you mean \"pin\"?\n"},
		{"one that needs another thing", "broker: {listen: \"127.0.0.1:1883\"}\nthings: [{name: hall, type: motion, pin: GPIO17}]\n" +
			"flows: [{builtin: SecurityFlow, things: {motionSensor: hall, camera: b, screen: hal}}]",
			"ok    config  pi.yaml: 1 thing, 1 flow\n" +
				"warn  config  pi.yaml:3:70: role camera: thing \"b\" is not in this file, so another process has to serve it\n" +
				"warn  config  pi.yaml:3:81: role screen: thing \"hal\" is not in this file, so another process has to serve it\n" +
				"      fix: did you mean \"hall\"?\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, warnings, err := config.Parse("pi.yaml", []byte(tc.text), nil)
			var out strings.Builder
			if err := Configuration("pi.yaml", c, warnings, err).Text(&out, false); err != nil {
				t.Fatal(err)
			}
			if out.String() != tc.want {
				t.Errorf("%s\nwant\n%s", out.String(), tc.want)
			}
		})
	}
	_, _, err := config.Load("no/such/file.yaml", nil)
	r := Configuration("no/such/file.yaml", nil, nil, err)
	if r.Failed() != 1 || r[0].Fix != "write one with: pithings config example > no/such/file.yaml" {
		t.Errorf("%+v", r)
	}
	many := &conf.Error{Problems: []conf.Problem{{Source: "f", Message: "bad"}}, More: 7}
	if r := Configuration("f", nil, nil, many); r.Failed() != 2 || r[1].Problem != "7 more problems" {
		t.Errorf("%+v", r)
	}
}

// FuzzPrintable: whatever devices and programs call themselves, a result is one
// line for the trouble and one for the cure.
func FuzzPrintable(f *testing.F) {
	f.Add("motion", "\x1b[2J\n\rx")
	f.Add("; ", "a; b; c\u2028")
	f.Fuzz(func(t *testing.T, part, trouble string) {
		var out strings.Builder
		r := probe.Failure(part, errors.New(trouble), "")
		if err := (Report{r}).Text(&out, false); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines: %q", n, out.String())
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
			t.Errorf("a control character at %d: %q", i, out.String())
		}
	})
}

// A certificate file that cannot be used is reported with what to do about it.
func TestCertificates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.p12")
	if err := os.WriteFile(path, []byte("0\x80\x02\x01\x03"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Mock()
	problems := c.Problems()
	var p *certs.Problem
	if _, err := certs.ReadAuthorities(path); !errors.As(err, &p) {
		t.Fatal(err)
	}
	problems.Add("mqtt.ca", p.What, p.Fix)
	got := Configuration("f", c, []conf.Warning{{Source: "f", Message: "one; do this"}}, problems.Err())
	if len(got) != 2 || got[0].Status != probe.Fail || !strings.HasSuffix(got[0].Problem, "CA file "+path+" is a PKCS#12 file") || !strings.HasPrefix(got[0].Fix, "convert it: openssl pkcs12 ") ||
		got[1] != (probe.Result{Part: "config", Status: probe.Warn, Problem: "f: one", Fix: "do this"}) {
		t.Errorf("%+v", got)
	}
}
