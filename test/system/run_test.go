//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

// securityFlow awaits one round of the four messages at the broker, byte by
// byte, and returns the picture's URL.
func securityFlow(t *testing.T, sub *process) (url string) {
	t.Helper()
	if got, want := sub.message("TG_MS/motion"), `{"isMotionDetected": true}`; got != want {
		t.Errorf("motion %s, want %s", got, want)
	}
	if got, want := sub.message("TG_Camera/capture"), `{}`; got != want {
		t.Errorf("capture %s, want %s", got, want)
	}
	finished := sub.message("TG_Camera/capture/finished")
	m := regexp.MustCompile(`^\{"lastClickedImage": "(http://[^"]+\.jpg)"\}$`).FindStringSubmatch(finished)
	if m == nil {
		t.Fatalf("finished %s", finished)
	}
	if got, want := sub.message("TG_Screen/display"), `{"imageUri":"`+m[1]+`"}`; got != want {
		t.Errorf("display %s, want %s", got, want)
	}
	return m[1]
}

// fetchJPEG gets the picture, and has libjpeg's own program read it.
func fetchJPEG(t *testing.T, url string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "image/jpeg" {
		t.Fatalf("%s: %s, %s, %v", url, r.Status, r.Header.Get("Content-Type"), err)
	}
	djpeg := exec.Command(binary.Need(t, "djpeg"), "-pnm")
	djpeg.Stdin = bytes.NewReader(b)
	var errs bytes.Buffer
	djpeg.Stderr = &errs
	out, err := djpeg.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("djpeg: %v %s", err, errs.String())
	}
	if !bytes.HasPrefix(out, []byte("P6\n640 480\n255\n")) {
		t.Errorf("djpeg made %.20q of the picture", out)
	}
}

func TestMockAgainstMosquitto(t *testing.T) {
	port := mosquitto(t)
	sub := subscribe(t, port)
	p := start(t, binary.Path, "run", "--mock", "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--listen", "127.0.0.1:0")
	fetchJPEG(t, securityFlow(t, sub))
	// The second round comes by itself, and is another picture.
	fetchJPEG(t, securityFlow(t, sub))
	for _, prefix := range []string{"Published topic TG_MS/motion: {\"isMotionDetected\": true}", "Received message on topic TG_Camera/capture: {}",
		"Published topic TG_Camera/capture/finished: {\"lastClickedImage\": \"http://", "Received message on topic TG_Screen/display: {\"imageUri\":\"http://"} {
		p.line(prefix)
	}
	code, took := p.interrupt()
	if code != 0 || took > 5*time.Second {
		t.Errorf("Ctrl-C: exit code %d after %v", code, took)
	}
}

func TestEnvironmentAgainstMosquitto(t *testing.T) {
	port := mosquitto(t)
	sub := subscribe(t, port)
	start(t, binary.Path, "run", "--mock", "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--listen", "127.0.0.1:0")
	for range 2 { // every interval again
		for _, quantity := range []string{"temperature", "humidity", "pressure", "gas"} {
			got := sub.message("bme680/" + quantity)
			if !regexp.MustCompile(`^\{"utc_timestamp": \d{10}, "value": (-?\d+\.\d+|null), "origin": "BME680 ` + quantity + `", "status": "(success|fail)"\}$`).MatchString(got) {
				t.Errorf("%s: %s", quantity, got)
			}
			if quantity != "gas" && !strings.Contains(got, "success") {
				t.Errorf("%s failed: %s", quantity, got)
			}
		}
		var state struct {
			Temperature, Humidity, Pressure float64
			Status                          string
		}
		if err := json.Unmarshal([]byte(sub.message("bme680/state")), &state); err != nil || state.Status != "success" || state.Pressure < 300 || state.Pressure > 1100 {
			t.Errorf("state %+v, %v", state, err)
		}
	}
}

func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	port := mosquitto(t, a.mutual()...)
	a.client("agent")
	a.client("watcher")
	sub := subscribe(t, port, "--cafile", a.File("ca.pem"), "--cert", a.File("watcher.pem"), "--key", a.File("watcher.key"))
	config := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf(`mqtt: {endpoint: "mqtts://127.0.0.1:%d", ca: %s, cert: %s, key: %s}
http: {listen: "127.0.0.1:0"}
things:
  - {name: TG_MS, type: motion, pin: mock, warm_up: 0s}
  - {name: TG_Camera, type: camera, device: mock, size: 640x480}
  - {name: TG_Screen, type: screen, device: mock}
flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]
`, port, a.File("ca.pem"), a.File("agent.pem"), a.File("agent.key"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "run", "--mock", "--config", config)
	fetchJPEG(t, securityFlow(t, sub))
}

// TestFourProcesses is the seeds' way: each thing a process with its own
// certificate, and one more that has no things and runs the flow.
func TestFourProcesses(t *testing.T) {
	a := newAuthority(t)
	port := mosquitto(t, a.mutual()...)
	for _, c := range []string{"watcher", "TG_MS", "TG_Camera", "TG_Screen", "flow"} {
		a.client(c)
	}
	sub := subscribe(t, port, "--cafile", a.File("ca.pem"), "--cert", a.File("watcher.pem"), "--key", a.File("watcher.key"))
	single := func(command, name string) *process {
		return start(t, binary.Path, append([]string{command, "-e", "127.0.0.1", "-p", strconv.Itoa(port), "-n", name, "--mock"}, a.flags(name)...)...)
	}
	camera, screen := single("camera", "TG_Camera"), single("screen", "TG_Screen")
	config := filepath.Join(t.TempDir(), "flow.yaml")
	text := fmt.Sprintf(`mqtt: {endpoint: "mqtts://127.0.0.1:%d", ca: %s, cert: %s, key: %s, client_id: flow}
flows: [{builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}]
`, port, a.File("ca.pem"), a.File("flow.pem"), a.File("flow.key"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "run", "--config", config)
	ms := single("ms", "TG_MS")
	// The first motion may come before the others are connected.
	url := ""
	for url == "" {
		sub.message("TG_MS/motion")
		finished := sub.line("TG_Camera/capture/finished ")
		url = regexp.MustCompile(`http://[^"]+`).FindString(finished)
	}
	if got, want := sub.message("TG_Screen/display"), `{"imageUri":"`+url+`"}`; got != want {
		t.Errorf("display %s, want %s", got, want)
	}
	ms.line(`Published topic TG_MS/motion: {"isMotionDetected": true}`)
	camera.line(`Received message on topic TG_Camera/capture: {}`)
	camera.line(`Published topic TG_Camera/capture/finished: {"lastClickedImage": "http://`)
	screen.line(`Received message on topic TG_Screen/display: {"imageUri":"http://`)
}

// TestAlone: no broker anywhere, the ports taken.
func TestAlone(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:1883", "127.0.0.1:8080"} {
		if l, err := net.Listen("tcp", addr); err == nil { // else the port is in use
			defer l.Close()
		}
	}
	p := start(t, binary.Path, "run", "--mock")
	p.line(`Published topic TG_MS/motion: {"isMotionDetected": true}`)
	p.line(`Received message on topic TG_Camera/capture: {}`)
	finished := p.line(`Published topic TG_Camera/capture/finished: {"lastClickedImage": "http://127.0.0.1:`)
	p.line(`Received message on topic TG_Screen/display: {"imageUri":"http://127.0.0.1:`)
	url := regexp.MustCompile(`http://[^"]+`).FindString(finished)
	if strings.Contains(url, ":8080/") {
		t.Errorf("%s: port 8080 was taken", url)
	}
	fetchJPEG(t, url)
	p.log("next free port")
	if code, took := p.interrupt(); code != 0 || took > 5*time.Second {
		t.Errorf("Ctrl-C: exit code %d after %v", code, took)
	}
}

// TestMemory: anonymous memory between pictures, at the defaults of run --mock. The rest of
// the resident set is pages of the program file, which Linux drops when memory is short.
func TestMemory(t *testing.T) {
	const limit = 10_000_000 / 1024 // KiB
	port := mosquitto(t)
	open := func(c *exec.Cmd) { c.Env = append(environment(t), "PITHINGS_DUMPABLE=1") } // for users other than root
	p := startAs(t, open, binary.Path, "run", "--mock", "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--listen", "127.0.0.1:0")
	for i := range 3 {
		p.line("Received message on topic TG_Screen/display:")
		p.log("EXECUTION_SUCCEEDED")
		time.Sleep(4 * time.Second) // between pictures is a time, not an event
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^Anonymous:\s+(\d+) kB`).FindSubmatch(rollup)
		if m == nil {
			t.Fatalf("no Anonymous in %s", rollup)
		}
		anonymous, _ := strconv.Atoi(string(m[1]))
		t.Logf("after picture %d: %d KiB anonymous", i+1, anonymous)
		if anonymous > limit {
			t.Errorf("%d KiB of anonymous memory, want at most %d", anonymous, limit)
		}
	}
}

// TestMockOfATLSConfig: a configuration for AWS, tried on a laptop against a
// plain broker.
func TestMockOfATLSConfig(t *testing.T) {
	port := mosquitto(t)
	sub := subscribe(t, port)
	config := filepath.Join(t.TempDir(), "pithings.yaml")
	const text = `mqtt: {endpoint: "mqtts://x-ats.iot.eu-central-1.amazonaws.com:8883", ca: root.pem, cert: c.pem, key: c.key}
http: {listen: "127.0.0.1:0"}
things: [{name: hall, type: motion, pin: GPIO17, warm_up: 0s}]
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "run", "--mock", "--config", config, "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", port))
	sub.message("hall/motion")
}

// TestNobodyReads: standard output that is not read holds nothing up.
func TestNobodyReads(t *testing.T) {
	port := mosquitto(t)
	sub := subscribe(t, port)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	full := make([]byte, 1<<16) // the pipe's whole room
	if n, err := w.Write(full); n != len(full) || err != nil {
		t.Fatal(n, err)
	}
	c := exec.Command(binary.Path, "run", "--mock", "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--listen", "127.0.0.1:0")
	c.Env, c.Stdout, c.Stderr = environment(t), w, w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer c.Process.Kill()
	for range 2 {
		securityFlow(t, sub)
	}
	began := time.Now()
	c.Process.Signal(os.Interrupt)
	if err := c.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("Ctrl-C: %v after %v", err, time.Since(began))
	}
}
