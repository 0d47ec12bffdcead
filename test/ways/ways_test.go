// Package ways counts the files of ours that three ways through the house pass: from a
// motion's edge to the packet, from a command to the pixels, and from a message by way of
// the disk and the broker's PUBACK to its deletion. What starts the process and keeps it
// running does not count, and neither do the simulated parts.
package ways

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// limits are two thirds of the files that whole tests of the ways passed before there were
// kinds of things (commit c9f6bd4): 35, 27 and 45. By this count, without what starts and ends
// in such tests, they were 34, 23 and 33; the message is held to two thirds of that.
var limits = map[string]int{"motion": 23, "display": 18, "message": 22}

// leaves are rooms that stand for a library: their exported names say all that a reader of a way
// needs. A JPEG takes five files of picture, where the standard library's decoder was before, and
// the codec of MQTT's packets could be one's.
var leaves = []string{"picture/", "pulse/", "mqttlink/packet/"}

// rounds are how often a way is gone. Only what runs each time is on it: the rest are jobs
// that the process does now and then, every second at most.
const rounds = 8

func TestWaysAreShort(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program with coverage counters")
	}
	program := filepath.Join(t.TempDir(), "way")
	build := exec.Command("go", "build", "-cover", "-covermode=atomic", "-coverpkg=pithings/...", "-o", program, "./way")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, way := range slices.Sorted(maps.Keys(limits)) {
		t.Run(way, func(t *testing.T) {
			files := run(t, program, way)
			t.Logf("%d files:\n\t%s", len(files), strings.Join(files, "\n\t"))
			if len(files) == 0 {
				t.Error("no file of ours ran")
			}
			if len(files) > limits[way] {
				t.Errorf("%d files, and %d are allowed", len(files), limits[way])
			}
		})
	}
}

// run goes a way in all rounds, and returns the files of ours that each of them passed.
func run(t *testing.T, program, way string) []string {
	b := startBroker(t)
	p := startProgram(t, program, "-way", way, "-endpoint", "mqtt://"+b.addr, "-dir", t.TempDir())
	p.await("ready")
	b.await("connected")
	if way == "display" {
		b.await("subscribed")
	}
	var dirs []string
	for round := range 1 + rounds {
		p.tell("go")
		switch way {
		case "motion":
			b.await("published")
			p.tell("again") // when this is published, too, nothing is left to do for the first
			b.await("published")
		case "display":
			p.await("done")
			if err := b.server.Publish("TG_Screen/display", []byte(`{"imageUri": "`+pictureServer(t, round)+`"}`), false, 1); err != nil {
				t.Fatal(err)
			}
			p.await("shown")
			b.await("acknowledged")
		case "message":
			p.await("deleted")
		}
		if round > 0 {
			dirs = append(dirs, t.TempDir())
			p.tell("write " + dirs[round-1])
			p.await("written")
		} else if way != "display" { // the first one starts what does not count
			p.tell("prepare")
			p.await("prepared")
		}
	}
	passedBy := map[string]int{}
	for _, dir := range dirs {
		for _, file := range passed(t, dir) {
			passedBy[file]++
		}
	}
	maps.DeleteFunc(passedBy, func(_ string, n int) bool { return n < rounds })
	return slices.Sorted(maps.Keys(passedBy))
}

// passed reads counters, and returns the files of which any statement ran.
func passed(t *testing.T, dir string) []string {
	profile := filepath.Join(dir, "profile")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+profile).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for line := range strings.Lines(string(text)) { // pithings/hw/hw.go:12.3,14.5 2 1
		place, _, found := strings.Cut(line, ":")
		name := strings.TrimPrefix(place, "pithings/")
		if !found || name == place || strings.HasSuffix(strings.TrimSpace(line), " 0") || strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "hw/mock/") {
			continue
		}
		if slices.ContainsFunc(leaves, func(room string) bool { return strings.HasPrefix(name, room) }) {
			continue
		}
		ran[name] = true
	}
	return slices.Sorted(maps.Keys(ran))
}

// broker is the other end. It acknowledges no motion: what follows is not on that way.
type broker struct {
	mqtt.HookBase
	t      *testing.T
	server *mqtt.Server
	addr   string
	events chan string
}

func startBroker(t *testing.T) *broker {
	b := &broker{t: t, events: make(chan string, 100)}
	b.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	l := listeners.NewTCP(listeners.Config{ID: "t", Address: "127.0.0.1:0"})
	for _, err := range []error{b.server.AddHook(b, nil), b.server.AddListener(l), b.server.Serve()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.addr = l.Address()
	t.Cleanup(func() { b.server.Close() })
	return b
}

func (b *broker) ID() string { return "ways" }
func (b *broker) Provides(h byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnSubscribed, mqtt.OnPublish, mqtt.OnQosComplete}, []byte{h})
}
func (b *broker) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (b *broker) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }
func (b *broker) OnSessionEstablished(*mqtt.Client, packets.Packet)       { b.events <- "connected" }
func (b *broker) OnSubscribed(*mqtt.Client, packets.Packet, []byte)       { b.events <- "subscribed" }
func (b *broker) OnQosComplete(*mqtt.Client, packets.Packet)              { b.events <- "acknowledged" }

func (b *broker) OnPublish(cl *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if !cl.Net.Inline && strings.HasSuffix(p.TopicName, "/motion") {
		b.events <- "published"
		return p, packets.ErrRejectPacket
	}
	return p, nil
}

func (b *broker) await(event string) { b.t.Helper(); await(b.t, b.events, event) }

func await(t *testing.T, events <-chan string, event string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e, open := <-events:
			if e == event {
				return
			}
			if !open {
				t.Fatalf("the program ended before %q", event)
			}
		case <-limit:
			t.Fatalf("no %q within 30 s", event)
		}
	}
}

// process is the program that is measured.
type process struct {
	t     *testing.T
	in    io.Writer
	lines chan string
}

func startProgram(t *testing.T, program string, args ...string) *process {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "GOCOVERDIR="+t.TempDir()) // of its end, which is of no interest
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, in: in, lines: make(chan string, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { in.Close(); <-read; cmd.Wait() })
	return p
}

func (p *process) tell(line string) {
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) await(line string) { p.t.Helper(); await(p.t, p.lines, line) }

// pictureServer serves a picture, another one in each round, and returns its address.
func pictureServer(t *testing.T, round int) string {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{R: uint8(200 - 20*round), A: 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(b.Bytes()) }))
	t.Cleanup(s.Close)
	return s.URL + "/p.jpg"
}
