package system

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/image/draw"

	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
)

// patience is how long anything may take. The guest is a slow emulated
// computer on a busy real one, so nothing is asserted about speed.
const patience = 90 * time.Second

// The parts that guest/init and the helpers provide.
const (
	sim    = "/sys/kernel/config/gpio-sim/gpio-sim-pi"
	bus    = "CP2112 SMBus Bridge"
	vivid  = "/dev/video0"
	feeder = "/dev/video10"
	screen = "/dev/fb0"
)

// TestMain skips on every computer but the emulated ones: the tests write to
// device nodes and consoles.
func TestMain(m *testing.M) {
	switch os.Getenv(probing) {
	case "":
	case probeTree:
		printTree()
		return
	default:
		probe()
		return
	}
	if _, err := os.Stat(guest.PlanFile); err != nil || os.Geteuid() != 0 {
		fmt.Println("skipped: these tests run in the guest of an emulated machine (test/emulated)")
		return
	}
	os.Exit(m.Run())
}

// app is pithings as it runs.
type app struct {
	t        *testing.T
	cmd      *exec.Cmd     // pithings, or the systemd that runs it
	broker   string        // HOST:PORT
	done     chan struct{} // closed when it has ended
	listened int           // the messages that had come when listen began

	mu       sync.Mutex
	changed  chan struct{} // closed at the next message or log line
	log      []string
	messages []message

	publish func(topic, payload string)
}

type message struct{ topic, payload string }

// how says how pithings is started.
type how struct {
	groups []uint32 // of the user pi; all three when nil
	tty    string   // its controlling terminal; none when empty
	state  string   // folder that outlives the test; one of its own when empty
	broker string   // HOST:PORT; the embedded one when empty
	clock  string   // how its clock is judged; trusted if no real-time clock has set it when empty
	unit   bool     // by systemd, with the unit that users get
	dropIn string   // changes to [Service] of the unit
	apt    bool     // by systemd, once apt has installed the package
}

// start runs pithings with a configuration, as the user pi, and listens to all
// that is published.
func start(t *testing.T, h how, things string) *app {
	t.Helper()
	a := &app{t: t, done: make(chan struct{}), changed: make(chan struct{}), broker: h.broker}
	text := "http: {listen: 127.0.0.1:8080}\n" + things
	if a.broker == "" {
		a.broker = "127.0.0.1:1883"
		text = "broker: {listen: 127.0.0.1:1883}\n" + text
	} else {
		text = "mqtt: {endpoint: mqtt://" + a.broker + "}\n" + text
	}
	if h.clock == "" {
		text = clockOf(t) + text
	} else {
		text = "clock: " + h.clock + "\n" + text
	}
	switch {
	case h.unit:
		a.startUnit(text, h.dropIn)
	case h.apt:
		a.startPackage(text)
	default:
		a.startProgram(h, text)
	}
	t.Cleanup(func() {
		a.cmd.Process.Kill()
		<-a.done
		if t.Failed() {
			t.Logf("pithings said:\n%s", strings.Join(a.logged(""), "\n"))
			a.mu.Lock()
			t.Logf("messages: %q", a.messages)
			a.mu.Unlock()
		}
	})
	a.listen()
	return a
}

// clockOf is the setting that lets a machine that no real-time clock has set, and
// that no time service sets, date its readings.
func clockOf(t *testing.T) string {
	t.Helper()
	clocks, err := filepath.Glob("/sys/class/rtc/*/hctosys")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clocks {
		if set, err := os.ReadFile(c); err == nil && strings.TrimSpace(string(set)) == "1" {
			t.Log("a real-time clock has set this machine's clock")
			return "" // the program has to see that by itself
		}
	}
	return "clock: trust\n"
}

// writeConfig writes a configuration for the user pi and makes its state folder.
func writeConfig(t *testing.T, state, text string) (file string) {
	t.Helper()
	dir := t.TempDir()
	// The user has to get through to it.
	for d := dir; d != "/tmp"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if state == "" {
		state = filepath.Join(dir, "state")
	}
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(state, guest.UserID, guest.UserID); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "pithings.yaml")
	if err := os.WriteFile(file, []byte("state: "+state+"\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// asPi makes a program run as the user pi.
func asPi(cmd *exec.Cmd, groups []uint32) {
	if groups == nil {
		groups = []uint32{guest.GPIOGroup, guest.I2CGroup, guest.VideoGroup}
	}
	cmd.Env = []string{"HOME=/tmp", "PATH=/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: guest.UserID, Gid: guest.UserID, Groups: groups},
	}
}

func (a *app) startProgram(h how, text string) {
	t := a.t
	t.Helper()
	a.cmd = exec.Command("/bin/pithings", "run", "--config", writeConfig(t, h.state, text))
	asPi(a.cmd, h.groups)
	if h.tty != "" {
		// As systemd does with TTYPath=: the terminal belongs to the user.
		if err := os.Chown(h.tty, guest.UserID, 0); err != nil {
			t.Fatal(err)
		}
		tty, err := os.OpenFile(h.tty, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		a.cmd.Stdin = tty
		a.cmd.SysProcAttr.Setsid, a.cmd.SysProcAttr.Setctty = true, true
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaints, err := a.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, r := range []io.Reader{out, complaints} {
		group.Go(func() { a.read(r) })
	}
	go func() {
		group.Wait()
		a.cmd.Wait()
		close(a.done)
	}()
}

func (a *app) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		a.note(func() { a.log = append(a.log, s.Text()) })
	}
}

func (a *app) note(add func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	add()
	close(a.changed)
	a.changed = make(chan struct{})
}

// listen subscribes to everything, once the broker is up.
func (a *app) listen() {
	a.t.Helper()
	a.listened = a.count()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + a.broker).SetClientID("listener").
		SetProtocolVersion(4).SetAutoReconnect(false)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		c := mqtt.NewClient(o)
		if token := c.Connect(); token.Wait() && token.Error() == nil {
			a.t.Cleanup(func() { c.Disconnect(0) })
			token := c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) {
				if strings.HasSuffix(m.Topic(), "/status") {
					return // whether the agent is there: no message of a thing
				}
				a.note(func() { a.messages = append(a.messages, message{m.Topic(), string(m.Payload())}) })
			})
			if token.Wait() && token.Error() != nil {
				a.t.Fatal(token.Error())
			}
			a.publish = func(topic, payload string) {
				if token := c.Publish(topic, 1, false, payload); token.Wait() && token.Error() != nil {
					a.t.Error(token.Error())
				}
			}
			return
		}
		select {
		case <-a.done:
			a.t.Fatal("pithings has ended")
		default:
		}
		if time.Now().After(end) {
			a.t.Fatal("no broker")
		}
	}
}

// count is how many messages there are so far.
func (a *app) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.messages)
}

// wait waits for a message after the first from messages, and returns its
// payload and the number of messages up to and with it.
func (a *app) wait(from int, topic string, is func(payload string) bool) (string, int) {
	a.t.Helper()
	limit := time.After(patience)
	for {
		a.mu.Lock()
		changed := a.changed
		for i := from; i < len(a.messages); i++ {
			if m := a.messages[i]; m.topic == topic && (is == nil || is(m.payload)) {
				a.mu.Unlock()
				return m.payload, i + 1
			}
		}
		from = max(from, len(a.messages))
		a.mu.Unlock()
		select {
		case <-changed:
		case <-a.done:
			a.t.Fatalf("pithings ended while a message on %s was waited for", topic)
		case <-limit:
			a.t.Fatalf("no such message on %s in %v", topic, patience)
		}
	}
}

// logged are the lines with text in them.
func (a *app) logged(text string) (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.log {
		if strings.Contains(l, text) {
			lines = append(lines, l)
		}
	}
	return lines
}

// waitLog waits for a line with text.
func (a *app) waitLog(text string) string {
	a.t.Helper()
	limit := time.After(patience)
	for {
		a.mu.Lock()
		changed := a.changed
		a.mu.Unlock()
		if lines := a.logged(text); len(lines) > 0 {
			return lines[0]
		}
		select {
		case <-changed:
		case <-a.done:
			a.t.Fatalf("pithings ended and never said %q", text)
		case <-limit:
			a.t.Fatalf("pithings did not say %q in %v", text, patience)
		}
	}
}

// end ends pithings as Ctrl-C does.
func (a *app) end() {
	a.t.Helper()
	a.cmd.Process.Signal(os.Interrupt)
	select {
	case <-a.done:
		if code := a.cmd.ProcessState.ExitCode(); code != 0 {
			a.t.Errorf("exit code %d", code)
		}
	case <-time.After(patience):
		a.t.Fatal("pithings did not end")
	}
}

// setLine drives the motion sensor's line.
func setLine(t *testing.T, high bool) {
	t.Helper()
	if err := guest.SetLine(sim, "SIM17", high); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, socket string, q control.Request) control.Reply {
	t.Helper()
	r, err := control.Ask(socket, q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// screenshot is what the emulated screen shows.
func screenshot(t *testing.T) image.Image {
	t.Helper()
	time.Sleep(500 * time.Millisecond) // virtio screens are updated every 50 ms
	img, err := png.Decode(bytes.NewReader(ask(t, control.Host, control.Request{Do: "screenshot"}).Data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// fetch gets a picture that pithings serves.
func fetch(t *testing.T, uri string) image.Image {
	t.Helper()
	r, err := http.Get(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	img, err := jpeg.Decode(r.Body)
	if err != nil {
		t.Fatalf("%s: %s, %v", uri, r.Status, err)
	}
	return img
}

// difference is the mean difference, of 255, between a picture and the middle
// of the screen, where pictures are shown as large as they fit.
func difference(picture, screen image.Image) float64 {
	s := screen.Bounds()
	size := picture.Bounds().Size()
	if s.Dx()*size.Y < s.Dy()*size.X {
		size = image.Pt(s.Dx(), size.Y*s.Dx()/size.X)
	} else {
		size = image.Pt(size.X*s.Dy()/size.Y, s.Dy())
	}
	p := image.NewRGBA(image.Rectangle{Max: size})
	draw.ApproxBiLinear.Scale(p, p.Rect, picture, picture.Bounds(), draw.Src, nil)
	shown := image.NewRGBA(p.Rect)
	draw.Draw(shown, p.Rect, screen, s.Min.Add(s.Size().Sub(size).Div(2)), draw.Src)
	var sum int
	for i, want := range p.Pix { // both are opaque
		d := int(want) - int(shown.Pix[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(3*size.X*size.Y)
}

// eventually waits for what takes its time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// waitQuiet waits until nothing has been published for a second.
func (a *app) waitQuiet() {
	for n := -1; n != a.count(); time.Sleep(time.Second) {
		n = a.count()
	}
}
