package system

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/hw/mock"
	"pithings/hw/pi"
	"pithings/test/emulated/guest/control"
)

const loopback = "  - {name: TG_Loop, type: camera, device: " + feeder + ", size: 640x480, warm_up_frames: 2}\n"

// Each fault is healed without a restart, and while it lasts the other parts
// keep working.
func TestFaultsHeal(t *testing.T) {
	setLine(t, false)
	a := start(t, how{}, "things:\n"+motion+camera+loopback+display+weather)
	a.waitLog("part works\" thing=TG_MS")
	a.wait(0, "bme680/state", success)

	t.Run("no acknowledge on the bus", func(t *testing.T) {
		a.t = t
		ask(t, control.Bridge, control.Request{Do: "nack", N: -1})
		_, at := a.wait(a.count(), "bme680/state", failed)
		a.othersWork("")
		ask(t, control.Bridge, control.Request{Do: "nack"})
		payload, _ := a.wait(at, "bme680/state", success)
		agrees(t, payload)
	})
	t.Run("a bus that hangs", func(t *testing.T) {
		a.t = t
		stuck, _ := time.ParseDuration(os.Getenv("PITHINGS_TEST_STUCK")) // a moment when not set
		ask(t, control.Bridge, control.Request{Do: "hang", On: true})
		begun := time.Now()
		_, at := a.wait(a.count(), "bme680/state", failed)
		a.othersWork("")
		for time.Since(begun) < stuck {
			time.Sleep(5 * time.Second)
			a.othersWork("")
		}
		_, at = a.wait(at, "bme680/state", nil) // it still tries
		ask(t, control.Bridge, control.Request{Do: "hang"})
		a.wait(at, "bme680/state", success)
	})
	t.Run("bridge unplugged, and back as another adapter", func(t *testing.T) {
		a.t = t
		before, _ := filepath.Glob("/dev/i2c-*")
		ask(t, control.Bridge, control.Request{Do: "remove"}) // ends when the program has let go
		at := a.count()
		a.othersWork("")
		ask(t, control.Bridge, control.Request{Do: "add"})
		after, _ := filepath.Glob("/dev/i2c-*")
		if strings.Join(before, " ") == strings.Join(after, " ") {
			t.Errorf("the adapters are %v as before", after)
		}
		a.wait(at, "bme680/state", success)
	})
	t.Run("feeder killed and started again", func(t *testing.T) {
		a.t = t
		a.capture("TG_Loop")
		killFeeder(t)
		a.othersWork("TG_Loop")
		a.publish("TG_Loop/capture", "{}") // fails, sooner or later
		startFeeder(t)
		a.capturesAgain("TG_Loop")
	})
	// rpicam-apps#176, #857: what rpicam-vid gives a loopback device.
	t.Run("feeder started again with raw frames", func(t *testing.T) {
		a.t = t
		for _, format := range []string{"yu12", "mjpeg"} {
			killFeeder(t)
			startFeeder(t, "-format", format)
			uri := a.capturesAgain("TG_Loop")
			if _, _, ok := mock.ReadCard(fetch(t, uri)); !ok {
				t.Errorf("%s: the picture does not show the test card", format)
			}
		}
	})
	t.Run("camera disconnected while it streams", func(t *testing.T) {
		a.t = t
		a.publish("TG_Camera/capture", "{}")
		vividControl(t, "Disconnect", 1)
		a.othersWork("TG_Camera")
		a.capturesAgain("TG_Camera")
	})
	t.Run("lost and corrupt buffers", func(t *testing.T) {
		a.t = t
		vividControl(t, "Percentage of Dropped Buffers", 60)
		vividControl(t, "Inject V4L2_BUF_FLAG_ERROR", 1)
		a.capturesAgain("TG_Camera")
		vividControl(t, "Percentage of Dropped Buffers", 0)
		a.capturesAgain("TG_Camera")
	})
	t.Run("screen unbound while it shows a picture", func(t *testing.T) {
		a.t = t
		uri := a.capture("TG_Camera")
		show := func() { a.publish("TG_Screen/display", `{"imageUri": "`+uri+`"}`) }
		shown := func() bool { return difference(fetch(t, uri), screenshot(t)) < 8 }
		show()
		eventually(t, "the picture is shown", shown)
		bind := unbindScreen(t)
		show()
		a.waitLog("trying again by itself\" thing=TG_Screen")
		a.othersWork("")
		bind()
		a.waitLog("part works again\" thing=TG_Screen")
		show()
		eventually(t, "the picture is shown again", shown)
	})
	a.t = t
	a.end()
}

// Parts that are not there at the start, or that another program has, are taken
// when they can be.
func TestPartsThatComeLater(t *testing.T) {
	setLine(t, false)
	killFeeder(t)
	back := unbindScreen(t)
	board, err := pi.Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	line, err := board.OpenPin("gpio-sim-pi:SIM17")
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, how{}, "things:\n"+motion+loopback+display+weather)
	a.wait(0, "bme680/state", success)
	if said := a.waitLog("SIM17"); !strings.Contains(said, "system.test@") {
		t.Errorf("%q does not name who has the line", said)
	}
	a.waitLog(screen + ": not found")

	if err := line.Halt(); err != nil {
		t.Fatal(err)
	}
	a.waitLog("part works again\" thing=TG_MS")
	a.edge()

	back()
	a.waitLog("part works again\" thing=TG_Screen")

	startFeeder(t)
	a.capturesAgain("TG_Loop")
	a.end()
}

func success(payload string) bool { return strings.Contains(payload, `"status": "success"`) }
func failed(payload string) bool  { return strings.Contains(payload, `"status": "fail"`) }
