//go:build system

package system

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image/jpeg"
	"image/png"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/test/binary"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// piReport is what fleet --json prints of Pis.
type piReport struct {
	Lost   uint64
	Errors map[string]uint64
	Pis    struct {
		Pictures                           string
		Motions, Captures, Finished, Shown uint64
		NotShown                           map[string]uint64
		Flows                              struct{ Started, Succeeded, Failed uint64 }
	}
}

func (p *process) piReport() (r piReport) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.Unmarshal([]byte(strings.Join(p.lines, "\n")), &r); err != nil {
		p.t.Fatalf("%v: %s", err, strings.Join(p.lines, "\n"))
	}
	return r
}

// pis starts a fleet of Pis.
func pis(t *testing.T, port, n int, args ...string) *process {
	t.Helper()
	return start(t, binary.Path, append([]string{"fleet", "-n", fmt.Sprint(n), "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--types", "pi", "--json"}, args...)...)
}

// on awaits a message on a topic.
func on(t *testing.T, c <-chan mqttlink.Message, topic string) string {
	t.Helper()
	for {
		if m := next(t, c, "message on "+topic); m.Topic == topic {
			return string(m.Payload)
		}
	}
}

// address returns the address in a camera's answer.
func address(t *testing.T, finished string) string {
	t.Helper()
	var taken struct{ LastClickedImage string }
	if err := json.Unmarshal([]byte(finished), &taken); err != nil || taken.LastClickedImage == "" {
		t.Fatalf("finished %s: %v", finished, err)
	}
	return taken.LastClickedImage
}

// wantJPEG fetches a picture.
func wantJPEG(t *testing.T, uri string) {
	t.Helper()
	c := http.Client{Timeout: binary.Patience}
	defer c.CloseIdleConnections()
	resp, err := c.Get(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if img, err := jpeg.Decode(resp.Body); err != nil || img.Bounds().Dx() < 100 {
		t.Errorf("%s: %v", uri, err)
	}
}

// A Pi of a fleet answers capture with the address of a picture, and its screen takes that, and no
// other of the fleet. At the end it is offline.
func TestPi(t *testing.T) {
	t.Parallel()
	port := mosquitto(t)
	l := link(t, port)
	all := hear(t, l, "#")
	fleet := pis(t, port, 2, "--motion", "0s", "--interval", "1h")
	on(t, all, "dev-0002/bme680/state")
	send(t, l, "dev-0002/TG_Camera/capture", `{}`)
	first := address(t, on(t, all, "dev-0002/TG_Camera/capture/finished"))
	send(t, l, "dev-0002/TG_Camera/capture", `{"token": "7"}`)
	finished := on(t, all, "dev-0002/TG_Camera/capture/finished")
	second := address(t, finished)
	if finished != `{"lastClickedImage": "`+second+`", "token": "7"}` || first == second {
		t.Errorf("%s behind %s", finished, first)
	}
	wantJPEG(t, first)
	wantJPEG(t, second)
	base := first[:strings.LastIndex(first, "/")+1]
	for _, uri := range []string{second, base + strings.Repeat("a", 26) + ".jpg", "http://127.0.0.1:1/x.jpg"} {
		send(t, l, "dev-0002/TG_Screen/display", `{"imageUri":"`+uri+`"}`)
	}
	send(t, l, "dev-0002/TG_Camera/capture", `{}`) // behind what its screen was sent
	on(t, all, "dev-0002/TG_Camera/capture/finished")
	if code, _ := fleet.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if status := on(t, all, "dev-0002/status"); status != "offline" {
		t.Errorf("%s at the end", status)
	}
	r := fleet.piReport()
	refused := uint64(0)
	for _, n := range r.Pis.NotShown {
		refused += n
	}
	if r.Pis.Pictures != base || r.Pis.Captures != 3 || r.Pis.Finished != 3 || r.Pis.Shown != 1 || refused != 2 || len(r.Pis.NotShown) != 2 || r.Lost != 0 || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

// form is a message without what differs from one to the next: numbers, and addresses of pictures.
// Blanks, keys and their order stay.
func form(m mqttlink.Message) string {
	payload := values.ReplaceAllString(string(m.Payload), "NUMBER")
	return fmt.Sprintf("%s QoS %d %s", m.Topic, m.QoS, pictures.ReplaceAllString(payload, "PICTURE"))
}

var (
	values   = regexp.MustCompile(`-?\b\d+(\.\d+)?\b`)
	pictures = regexp.MustCompile(`http://[^"]*/pictures/[a-z2-7]{26}\.jpg`)
)

// behaviour is what a Pi with SecurityFlow says of itself: the form of each message, and what the broker
// keeps of it.
func behaviour(t *testing.T, run func(t *testing.T, port int) *process) string {
	t.Helper()
	port := mosquitto(t)
	l := link(t, port)
	all := hear(t, l, "#")
	send(t, l, "listening", "1") // comes back when the subscription holds
	on(t, all, "listening")
	p := run(t, port)
	seen := map[string]bool{}
	await := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(binary.Patience); len(seen) < n; {
			if time.Now().After(deadline) {
				t.Fatalf("%d forms of messages, want %d: %q", len(seen), n, slices.Sorted(maps.Keys(seen)))
			}
			m := next(t, all, fmt.Sprintf("message number %d of %d: %q", len(seen)+1, n, slices.Sorted(maps.Keys(seen))))
			if len(seen) == 0 && m.Topic != "dev-0001/status" {
				t.Errorf("the first message is on %s", m.Topic)
			}
			if m.Topic != "dev-0001/TG_Camera/capture" || string(m.Payload) == "{}" { // and not what we send
				seen[form(m)] = true
			}
		}
	}
	// Presence, motion, five of a reading, and the three messages of the flow.
	await(1 + 1 + 5 + 3)
	send(t, l, "dev-0001/TG_Camera/capture", `{"token": "abc"}`)
	await(1 + 1 + 5 + 3 + 1)
	if code, _ := p.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	await(1 + 1 + 5 + 3 + 1 + 1)
	var lines []string
	for one := range seen {
		lines = append(lines, one)
	}
	kept := hear(t, link(t, port), "#")
	m := next(t, kept, "retained message")
	lines = append(lines, fmt.Sprintf("%s retained %v %s", m.Topic, m.Retain, m.Payload))
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// A Pi of a fleet publishes what an agent with the configuration in docs/fleet.md does: on the same topics,
// with the same QoS, and in the same form to the byte.
func TestPiIsAnAgent(t *testing.T) {
	t.Parallel()
	config := block(t, "```yaml\nmqtt: {endpoint: \"mqtt://broker\", client_id: \"{hostname}\"}")
	agent := behaviour(t, func(t *testing.T, port int) *process {
		text := fmt.Sprintf("mqtt: {endpoint: \"mqtt://127.0.0.1:%d\", client_id: \"{hostname}\"}\n", port) + config +
			"flows:\n  - {builtin: SecurityFlow, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}}\n"
		file := filepath.Join(t.TempDir(), "pithings.yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "{hostname}", "dev-0001")), 0o600); err != nil {
			t.Fatal(err)
		}
		return start(t, binary.Path, "run", "--mock", "--config", file)
	})
	fleet := behaviour(t, func(t *testing.T, port int) *process {
		return pis(t, port, 1, "--motion", "1s", "--flows", "local")
	})
	if agent != fleet {
		t.Errorf("an agent:\n%s\na Pi of a fleet:\n%s", agent, fleet)
	}
	file := filepath.Join("testdata", "pi.txt")
	if *update {
		if err := os.WriteFile(file, []byte(agent), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) || string(want) != agent {
		t.Errorf("%s is out of date (%v); got\n%s", file, err, agent)
	}
}

// Each of twenty Pis with a flow of its own shows its own picture.
func TestPisWithFlows(t *testing.T) {
	t.Parallel()
	const n = 20
	port := mosquitto(t)
	all := hear(t, link(t, port), "#")
	fleet := pis(t, port, n, "--motion", "1s", "--flows", "local")
	wantOwnPictures(t, all, n)
	if code, _ := fleet.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if r := fleet.piReport(); r.Pis.Flows.Succeeded < n-1 || r.Pis.Flows.Failed > 0 || r.Pis.Shown < n-1 || len(r.Pis.NotShown) > 0 || r.Lost != 0 {
		t.Errorf("%+v", r)
	}
}

// wantOwnPictures waits until each of n Pis has been sent a picture, which is one that it has taken.
func wantOwnPictures(t *testing.T, all <-chan mqttlink.Message, n int) {
	t.Helper()
	taken, shown := map[string]string{}, map[string]bool{}
	for len(shown) < n {
		m := next(t, all, fmt.Sprintf("message, with pictures on %d screens", len(shown)))
		device, rest, _ := strings.Cut(m.Topic, "/")
		switch rest {
		case "TG_Camera/capture/finished":
			uri := address(t, string(m.Payload))
			if other := taken[uri]; other != "" && other != device {
				t.Errorf("%s is a picture of %s and %s", uri, other, device)
			}
			taken[uri] = device
		case "TG_Screen/display":
			var c struct{ ImageURI string }
			if err := json.Unmarshal(m.Payload, &c); err != nil || taken[c.ImageURI] != device {
				t.Errorf("%s shows %s, a picture of %q: %v", device, m.Payload, taken[c.ImageURI], err)
			}
			if !shown[device] {
				wantJPEG(t, c.ImageURI)
			}
			shown[device] = true
		}
	}
}

// block returns the block of docs/fleet.md that begins with a line, without that line.
func block(t *testing.T, first string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "fleet.md"))
	_, rest, found := strings.Cut(string(page), first+"\n")
	if err != nil || !found {
		t.Fatalf("docs/fleet.md has no block that begins with %q: %v", first, err)
	}
	rest, _, _ = strings.Cut(rest, "```")
	return rest
}

// A cluster of two engines runs the flows of twenty Pis, which only answer: with the flow of each and the
// access list that docs/fleet.md has, at a broker that lets all into their own topics alone.
func TestPisWithCluster(t *testing.T) {
	t.Parallel()
	const n = 20
	flow, lines := "name: hall-0001\n"+block(t, "```yaml\nname: hall-0001"), "user engine\n"+block(t, "```\nuser engine")
	engines := []string{"engine0", "engine1"}
	dir, port, monitor := identities(t, n, "+/TG_Screen/display", lines, engines...)
	var files []string
	for i := range n {
		name := fmt.Sprintf("%04d", i+1)
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(flow, "0001", name)), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, name := range engines {
		identity := filepath.Join(dir, "devices", name)
		args := append([]string{"flow", "run", "-e", fmt.Sprintf("mqtts://localhost:%d", port), "-r", filepath.Join(identity, "ca.pem"), "-c", filepath.Join(identity, "device.crt"), "-k", filepath.Join(identity, "device.key"),
			"-i", name, "--shared", "house", "--state", filepath.Join(dir, "state-"+name)}, files...)
		start(t, binary.Path, args...).log("connected")
	}
	fleet := start(t, binary.Path, "fleet", "-n", fmt.Sprint(n), "--identities", dir, "--types", "pi", "--motion", "1s", "--json")
	const more = 3 // second pictures: mosquitto gives a group's messages to its engines in turn
	shown := map[string]int{}
	monitor.await("a picture on each screen, and some second ones", func(l string) bool {
		device, rest, _ := strings.Cut(l, "/TG_Screen/display ")
		var c struct{ ImageURI string }
		if err := json.Unmarshal([]byte(rest), &c); err != nil {
			return false // a line of mosquitto_sub's own
		}
		if shown[device]++; shown[device] == 1 {
			wantJPEG(t, c.ImageURI)
		}
		second := 0
		for _, times := range shown {
			second += min(times-1, 1)
		}
		return len(shown) == n && second >= more
	})
	if code, _ := fleet.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	handled := 0
	for _, name := range engines {
		some := 0
		for k := range n {
			some += succeeded(executions(t, filepath.Join(dir, "state-"+name), fmt.Sprintf("hall-%04d", k+1)))
		}
		if some == 0 {
			t.Errorf("%s has run no flow", name)
		}
		handled += some
	}
	if r := fleet.piReport(); handled < n || r.Pis.Shown < n-1 || r.Pis.Flows.Started != 0 || len(r.Pis.NotShown) > 0 || r.Lost != 0 {
		t.Errorf("%d flows; %+v", handled, r)
	}
}

// A real screen shows a picture of a virtual camera.
func TestPisPictureOnARealScreen(t *testing.T) {
	t.Parallel()
	port, broker := mosquittoProcess(t, "allow_anonymous true", "log_type subscribe")
	web := freePort(t)
	l := link(t, port)
	all := hear(t, l, "dev-0001/TG_Camera/capture/finished")
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("mqtt: {endpoint: \"mqtt://127.0.0.1:%d\"}\nhttp: {listen: \"127.0.0.1:%d\"}\nthings: [{name: Hall, type: screen, clear_after: 0s}]\n", port, web)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, binary.Path, "run", "--mock", "--config", file)
	pis(t, port, 1, "--motion", "0s")
	broker.log(" 1 Hall/display")
	broker.log(" 1 dev-0001/TG_Camera/capture")
	send(t, l, "dev-0001/TG_Camera/capture", "{}")
	finished := on(t, all, "dev-0001/TG_Camera/capture/finished")
	c := http.Client{Timeout: binary.Patience}
	defer c.CloseIdleConnections()
	lit := func() bool {
		resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d/screen/Hall.png", web))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		img, err := png.Decode(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		b := img.Bounds()
		r, g, blue, _ := img.At(b.Dx()/2, b.Dy()/3).RGBA()
		return r+g+blue > 0
	}
	if lit() {
		t.Fatal("the screen shows something before it is sent anything")
	}
	send(t, l, "Hall/display", `{"imageUri":"`+address(t, finished)+`"}`)
	eventually(t, "the picture on the screen", lit)
}
