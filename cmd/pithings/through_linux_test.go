package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/spool/control"
)

// partsAgent runs an agent of this user that has the usual parts, and returns its state
// folder. Its board is simulated, which it does not know.
func partsAgent(t *testing.T, more string) (state string) {
	t.Helper()
	return agentWith(t, `
mqtt: {endpoint: "mqtt://127.0.0.1:1"}
clock: trust
http: {listen: "127.0.0.1:0"}
things:
  - {name: weather, type: environment, interval: 1h}
  - {name: hall, type: motion, pin: GPIO17`+more+`}
  - {name: eye, type: camera, size: 640x480}
  - {name: wall, type: screen}
`)
}

// agentWith runs an agent of this user that others find.
func agentWith(t *testing.T, text string) (state string) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("RUNTIME_DIRECTORY", "")
	state = t.TempDir()
	cfg, _, err := config.Parse("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	board := mock.New(mock.Options{Motion: mock.Motion{First: 100 * time.Millisecond, Every: time.Hour, Width: time.Hour}})
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	a, err := agent.New(agent.Options{Config: cfg, Board: board, State: state, Shared: true, Ready: func() { close(ready) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		board.Close()
	})
	<-ready
	for places := control.UsualPlaces(); ; time.Sleep(10 * time.Millisecond) { // its socket does not tell
		if agents, _ := places.Find(t.Context()); len(agents) > 0 {
			return state
		}
	}
}

// Commands that try a part let the agent that has it use it, instead of finding it busy or
// spoiling its readings (domoticz#1410). Nothing of it is published or stored.
func TestPartsThroughTheAgent(t *testing.T) {
	state := partsAgent(t, ", warm_up: 0s")
	dir := t.TempDir()
	t.Chdir(dir)
	does := func(code int, says string, args ...string) (out string) {
		t.Helper()
		var o, e bytes.Buffer
		if got := execute(t.Context(), args, strings.NewReader(""), &o, &e); got != code || !strings.Contains(e.String(), says) {
			t.Errorf("%q: exit status %d: %s%s", args, got, &o, &e)
		}
		return o.String()
	}
	by := "by the agent (process " + fmt.Sprint(os.Getpid()) + ", state folder " + state + ")"
	if out := does(0, "read "+by, "read", "bme680"); !strings.Contains(out, "temperature") {
		t.Errorf("bme680: %s", out)
	}
	if out := does(0, "read "+by, "read", "motion", "--wait", "20s", "--json"); out != `{"isMotionDetected": true}`+"\n" {
		t.Errorf("motion: %s", out)
	}
	does(0, "taken "+by, "capture", "a.jpg")
	b, err := os.ReadFile("a.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
		t.Error(err)
	}
	var about struct{ Width, Height int }
	if err := json.Unmarshal([]byte(does(0, "taken "+by, "capture", "--json")), &about); err != nil || about.Width == 0 {
		t.Error(about, err)
	}
	if stored, _ := filepath.Glob(filepath.Join(state, "pictures", "*.jpg")); len(stored) > 0 {
		t.Errorf("the pictures are stored: %v", stored)
	}
	if out := does(0, "shown "+by, "show", "a.jpg"); !strings.Contains(out, "a.jpg: shown on /dev/fb0") {
		t.Errorf("show: %s", out)
	}
	does(1, "PNG", "show", "data:,nothing")
	// What the agent cannot do is not passed over.
	does(1, "leave --size out", "capture", "--size", "640x480")
	does(1, "leave --fit and --for out", "show", "a.jpg", "--for", "1m", "--fit", "cover")
	// What it does not have is looked for by the command itself.
	does(1, "/dev/video7", "capture", "--device", "/dev/video7")
	does(1, "GPIO4", "read", "motion", "--pin", "GPIO4")
}

// Parts of several kinds that have one name, because they are simulated by it, are not
// taken for each other.
func TestPartsOfOneName(t *testing.T) {
	agentWith(t, `
broker: {listen: "127.0.0.1:0"}
http: {listen: "127.0.0.1:0"}
things:
  - {name: eye, type: camera, device: mock, size: 640x480}
  - {name: hall, type: motion, pin: mock, warm_up: 0s}
  - {name: wall, type: screen, device: mock}
`)
	t.Chdir(t.TempDir())
	for _, row := range []struct{ args, says string }{
		{"capture a.jpg --device mock", "whose thing eye has the camera"},
		{"read motion --pin mock --wait 20s", "whose thing hall has the motion sensor"},
		{"show a.jpg --device mock", "whose thing wall has the screen"},
	} {
		var out, errs bytes.Buffer
		if code := execute(t.Context(), strings.Fields(row.args), strings.NewReader(""), &out, &errs); code != exitOK || !strings.Contains(errs.String(), row.says) {
			t.Errorf("%s: exit status %d: %s%s", row.args, code, &out, &errs)
		}
	}
}

// A sensor that warms up knows nothing of motion, and says so.
func TestReadMotionBesideAWarmUp(t *testing.T) {
	partsAgent(t, ", warm_up: 10m")
	for end := time.Now().Add(20 * time.Second); ; {
		var out, errs bytes.Buffer
		code := execute(t.Context(), []string{"read", "motion"}, strings.NewReader(""), &out, &errs)
		if code == exitFailure && strings.Contains(errs.String(), "warms up, until ") {
			return
		}
		// Until its line is open it does not work.
		if code == exitOK && !strings.Contains(out.String(), "no motion") || time.Now().After(end) {
			t.Fatalf("exit status %d: %s%s", code, &out, &errs)
		}
	}
}

// Where a mosquitto has the usual port, the broker of run --mock is at another, and watch
// without a broker printed nothing of it.
func TestWatchFindsTheBrokerOfTheAgent(t *testing.T) {
	agentWith(t, `
broker: {listen: "127.0.0.1:0"}
http: {listen: "127.0.0.1:0"}
things: [{name: weather, type: environment, interval: 1s}]
`)
	var out, errs bytes.Buffer
	code := execute(t.Context(), []string{"watch", "weather/state", "-C", "1", "-W", "20"}, strings.NewReader(""), &out, &errs)
	if code != exitOK || !strings.Contains(out.String(), "weather/state ") || !strings.Contains(errs.String(), "the broker of the agent") {
		t.Errorf("exit status %d: %s%s", code, &out, &errs)
	}
}
