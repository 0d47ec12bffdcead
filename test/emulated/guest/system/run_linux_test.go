package system

import (
	"encoding/json"
	"image"
	"math"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw/mock"
	"pithings/test/emulated/guest/control"
)

const (
	motion  = "  - {name: TG_MS, type: motion, pin: \"gpio-sim-pi:SIM17\", warm_up: 0s, hold: 0s}\n"
	camera  = "  - {name: TG_Camera, type: camera, device: " + vivid + ", size: 640x480, warm_up_frames: 2}\n"
	display = "  - {name: TG_Screen, type: screen, device: " + screen + ", clear_after: 0s}\n"
	weather = "  - {name: bme680, type: environment, bus: \"" + bus + "\", interval: 1s}\n"
	flow    = "flows:\n  - {builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}\n"
)

// An edge on a line becomes motion, a frame of the camera, and that picture on
// the screen, whose console goes away and comes back.
func TestSecurityFlowOnDeviceNodes(t *testing.T) {
	for _, c := range []struct {
		name, tty string
	}{{"tty1 is handed over", "/dev/tty1"}, {"no terminal", ""}} {
		t.Run(c.name, func(t *testing.T) {
			setLine(t, false)
			writeConsole(t)
			before := screenshot(t)
			a := start(t, how{tty: c.tty}, "things:\n"+motion+camera+display+flow)
			// Asking for a pull moves a simulated line.
			a.waitLog("part works\" thing=TG_MS")
			for i := range 2 {
				picture := a.motionShowsPicture()
				if mode := consoleMode(t); c.tty != "" && mode != 1 {
					t.Errorf("console mode %d, want 1 (graphics)", mode)
				}
				// What the console prints must not show.
				if c.tty != "" {
					if err := os.WriteFile("/dev/tty1", []byte("\x1b[Hmore text of the console\r\n"), 0); err != nil {
						t.Fatal(err)
					}
					if d := difference(picture, screenshot(t)); d >= 8 {
						t.Errorf("the console printed over the picture, or it went away: difference %.1f", d)
					}
				}
				setLine(t, false)
				if i == 0 {
					a.waitQuiet()
				}
			}
			hints := a.logged("StandardInput=tty")
			if want := map[bool]int{true: 0, false: 1}[c.tty != ""]; len(hints) != want {
				t.Errorf("%d lines say how to hand the terminal over, want %d: %q", len(hints), want, hints)
			}
			if root := a.logged("running as root"); len(root) != 0 {
				t.Errorf("it says %q", root)
			}
			a.end()
			if mode := consoleMode(t); mode != 0 {
				t.Errorf("console mode %d after the end, want 0 (text)", mode)
			}
			if c.tty != "" {
				eventually(t, "the console is back", func() bool { return difference(before, screenshot(t)) < 8 })
			}
		})
	}
}

// writeConsole puts text on the console, which a picture has to cover.
func writeConsole(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/dev/tty1", []byte("\x1b[2J\x1b[H\x1b[?25h"+strings.Repeat("text of the console\r\n", 12)), 0); err != nil {
		t.Fatal(err)
	}
}

// motionShowsPicture makes a motion and waits for what the flow makes of it: a
// picture, which the screen shows.
func (a *app) motionShowsPicture() (picture image.Image) {
	t := a.t
	t.Helper()
	from := a.count()
	setLine(t, true)
	payload, at := a.wait(from, "TG_MS/motion", nil)
	if want := `{"isMotionDetected": true}`; payload != want {
		t.Errorf("motion is %s, want %s", payload, want)
	}
	_, at = a.wait(at, "TG_Camera/capture", nil)
	payload, at = a.wait(at, "TG_Camera/capture/finished", nil)
	uri := pictureURI(t, payload)
	a.wait(at, "TG_Screen/display", func(p string) bool { return strings.Contains(p, uri) })
	picture = fetch(t, uri)
	if b := picture.Bounds(); b.Dx() != 640 || b.Dy() != 480 {
		t.Errorf("a picture of %v", b)
	}
	eventually(t, "the screen shows the picture", func() bool { return difference(picture, screenshot(t)) < 8 })
	return picture
}

// pictureURI is where the picture is that a camera has finished.
func pictureURI(t *testing.T, payload string) string {
	t.Helper()
	var finished struct {
		URI string `json:"lastClickedImage"`
	}
	if err := json.Unmarshal([]byte(payload), &finished); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return finished.URI
}

// The sensor behind the kernel's adapter agrees with the weather of its model,
// at both addresses.
func TestWeatherThroughTheKernel(t *testing.T) {
	for _, address := range []int{0x76, 0x77} {
		ask(t, control.Bridge, control.Request{Do: "address", N: address})
		t.Cleanup(func() { ask(t, control.Bridge, control.Request{Do: "address", N: 0x76}) })
		a := start(t, how{}, "things:\n"+weather)
		at := 0
		for range 3 {
			var payload string
			payload, at = a.wait(at, "bme680/state", nil)
			agrees(t, payload)
		}
		a.end()
	}
}

// agrees compares a state message with the air around the sensor.
func agrees(t *testing.T, payload string) {
	t.Helper()
	var air mock.Weather
	if err := json.Unmarshal(ask(t, control.Bridge, control.Request{Do: "weather"}).JSON, &air); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Temperature, Humidity, Pressure *float64
		Gas                             *float64 `json:"gas_resistance"`
		Status                          string
	}
	if err := json.Unmarshal([]byte(payload), &got); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	for _, c := range []struct {
		name            string
		got             *float64
		want, tolerance float64
	}{
		{"temperature", got.Temperature, air.Temperature, 0.3},
		{"humidity", got.Humidity, air.Humidity, 1},
		{"pressure", got.Pressure, air.Pressure / 100, 0.5},
		{"gas", got.Gas, air.Gas, air.Gas / 10},
	} {
		if c.got == nil || math.Abs(*c.got-c.want) > c.tolerance {
			t.Errorf("the %s in %s is not %.2f", c.name, payload, c.want)
		}
	}
	if got.Status != "success" {
		t.Errorf("status %q", got.Status)
	}
}

// Without a group the parts that need it say which; the others work.
func TestAMissingGroupIsNamed(t *testing.T) {
	a := start(t, how{groups: []uint32{998}}, "things:\n"+motion+camera+display+weather)
	stop := a.capturing("TG_Camera") // it is opened when it is needed
	defer func() { stop() }()
	for part, group := range map[string]string{"TG_MS": "gpio", "TG_Camera": "video", "TG_Screen": "video"} {
		if line := a.waitLog("usermod -aG " + group); !strings.Contains(line, part) && part != "TG_Screen" && part != "TG_Camera" {
			t.Errorf("%q does not name %s", line, part)
		}
	}
	a.wait(0, "bme680/state", nil)
	stop()
	stop = func() {}
	a.end()
}

// consoleMode is KDGETMODE of the first console (linux/kd.h).
func consoleMode(t *testing.T) int {
	t.Helper()
	tty, err := os.Open("/dev/tty1")
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var mode int32
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, tty.Fd(), 0x4B3B, uintptr(unsafe.Pointer(&mode))); errno != 0 {
		t.Fatal(errno)
	}
	return int(mode)
}
