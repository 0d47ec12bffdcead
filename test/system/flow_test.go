//go:build system

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/flow"
	"pithings/flowhost"
	"pithings/mqttlink"
	"pithings/test/binary"
)

// guide is SecurityFlow in three documents, written as the Things Graph guide writes
// them.
func guide(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../flow/tdm/testdata/security/*.graphql")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	return files
}

// threeThings is a configuration without flows.
func threeThings(t *testing.T, port int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf(`mqtt: {endpoint: "mqtt://127.0.0.1:%d"}
http: {listen: "127.0.0.1:0"}
things:
  - {name: TG_MS, type: motion, pin: mock, warm_up: 0s, hold: 0s}
  - {name: TG_Camera, type: camera, device: mock, size: 640x480, warm_up_frames: 0}
  - {name: TG_Screen, type: screen, device: mock}
`, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// flowCommand runs pithings flow with that state folder, which must succeed.
func flowCommand(t *testing.T, state string, args ...string) string {
	t.Helper()
	out, stderr, code := finish(t, append(append([]string{"flow"}, args...), "--state", state)...)
	if code != 0 {
		t.Fatalf("pithings flow %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	return out
}

// wantLine looks for a line in which the words follow each other, blanks apart.
func wantLine(t *testing.T, text, words string) {
	t.Helper()
	if !strings.Contains(strings.Join(strings.Fields(text), " "), words) {
		t.Errorf("no %q in\n%s", words, text)
	}
}

// executions asks for those of a deployment.
func executions(t *testing.T, state, deployment string) (list []flow.Execution) {
	t.Helper()
	out := flowCommand(t, state, "executions", deployment, "--json", "--limit", "0")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return list
}

// eventually polls a state of other processes that has no event.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(binary.Patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, binary.Patience)
		}
	}
}

func succeeded(list []flow.Execution) (n int) {
	for _, x := range list {
		if x.Status == flow.Succeeded {
			n++
		}
	}
	return n
}

// TestWalkThrough is the way of the Things Graph guide, as commands: import, deploy,
// see it deployed, motion → picture → screen, undeploy, delete. Between, the agent is
// killed and started again.
func TestWalkThrough(t *testing.T) {
	t.Parallel()
	port := mosquitto(t)
	sub := subscribe(t, port)
	config, state := threeThings(t, port), t.TempDir()
	agent := start(t, binary.Path, "run", "--mock", "--config", config, "--state", state)
	sub.message("TG_MS/motion")

	made := filepath.Join(t.TempDir(), "room.yaml")
	if _, stderr, code := finish(t, append([]string{"flow", "import", "-o", made}, guide(t)...)...); code != 0 {
		t.Fatal(stderr)
	}
	if out, stderr, code := finish(t, "flow", "validate", made); code != 0 {
		t.Fatal(out, stderr)
	}
	wantLine(t, flowCommand(t, state, append([]string{"deploy", "--carrier", "broker"}, guide(t)...)...), "Room215: Deployed in target, revision 1")
	wantLine(t, flowCommand(t, state, "list"), "Room215 Deployed in target 1")
	fetchJPEG(t, securityFlow(t, sub))
	eventually(t, "the execution's end", func() bool { return succeeded(executions(t, state, "Room215")) > 0 })

	// With the carrier auto, the same things are reached within the process.
	wantLine(t, flowCommand(t, state, "deploy", made), "Room215: Deployed in target, revision 2")
	wantLine(t, flowCommand(t, state, "show", "Room215"), "camera: TG_Camera (auto: local)")
	sub.message("TG_MS/motion")
	fetchJPEG(t, regexp.MustCompile(`http://[^"]+`).FindString(sub.message("TG_Camera/capture/finished")))

	agent.cmd.Process.Signal(syscall.SIGKILL)
	<-agent.ended
	wantLine(t, flowCommand(t, state, "list"), "Room215 Deployed in target 2")
	agent = start(t, binary.Path, "run", "--mock", "--config", config, "--state", state)
	agent.log("connected")
	before := succeeded(executions(t, state, "Room215"))
	eventually(t, "an execution after the restart", func() bool { return succeeded(executions(t, state, "Room215")) > before })
	url := regexp.MustCompile(`msg="web server listens" addr=(\S+)`).FindStringSubmatch(agent.logged())
	if url == nil {
		t.Fatal("the log does not say where the web server is")
	}
	if page := get(t, "http://"+url[1]+"/healthz"); !strings.Contains(page, `"Room215"`) {
		t.Errorf("/healthz does not tell of the flow: %s", page)
	}

	_, stderr, code := finish(t, "flow", "delete", "Room215", "--state", state)
	if code != 1 || !strings.Contains(stderr, "undeploy it first") {
		t.Errorf("deleting what is deployed: exit code %d, %s", code, stderr)
	}
	wantLine(t, flowCommand(t, state, "undeploy", "Room215"), "Room215: Not deployed")
	wantLine(t, flowCommand(t, state, "list"), "Room215 Not deployed 2")
	count := len(executions(t, state, "Room215"))
	publish(t, port, "fence", "1")
	sub.message("fence")
	sub.message("TG_MS/motion") // which starts nothing
	publish(t, port, "fence", "2")
	sub.message("fence")
	if n := len(executions(t, state, "Room215")); n != count {
		t.Errorf("%d executions after the flow was undeployed", n-count)
	}
	wantLine(t, flowCommand(t, state, "delete", "Room215"), "Room215: Deleted in target")
	wantLine(t, flowCommand(t, state, "list"), "nothing is deployed")
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cable is a way to a broker that can be cut.
type cable struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
	wg    sync.WaitGroup
}

func newCable(t *testing.T, port int) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{l: l, to: fmt.Sprintf("127.0.0.1:%d", port)}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		l.Close()
		c.set(true)
		c.wg.Wait()
	})
	return c
}

func (c *cable) port() int { return c.l.Addr().(*net.TCPAddr).Port }

func (c *cable) serve() {
	for {
		a, err := c.l.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", c.to)
		c.mu.Lock()
		if c.cut || err != nil {
			a.Close()
			if err == nil {
				b.Close()
			}
			c.mu.Unlock()
			continue
		}
		c.conns = append(c.conns, a, b)
		c.mu.Unlock()
		for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
			c.wg.Go(func() {
				io.Copy(pair[0], pair[1])
				pair[0].Close()
			})
		}
	}
}

// set cuts the cable, or repairs it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestFlowWithoutNetwork: with the cable pulled, a flow of local things continues, and
// its events reach the broker later, in order.
func TestFlowWithoutNetwork(t *testing.T) {
	t.Parallel()
	port := mosquitto(t)
	sub := subscribe(t, port)
	way := newCable(t, port)
	state := t.TempDir()
	agent := start(t, binary.Path, "run", "--mock", "--config", threeThings(t, way.port()), "--state", state)
	sub.message("TG_MS/motion")
	flowCommand(t, state, append([]string{"deploy"}, guide(t)...)...)
	way.set(true)
	agent.log("connection")
	before := len(executions(t, state, "Room215"))
	eventually(t, "two executions without a network", func() bool { return succeeded(executions(t, state, "Room215")) >= before+2 })
	publish(t, port, "fence", "1")
	way.set(false)
	sub.message("fence")
	for range 2 {
		sub.message("TG_MS/motion")
		fetchJPEG(t, regexp.MustCompile(`http://[^"]+`).FindString(sub.message("TG_Camera/capture/finished")))
	}
}

// link is a client of the test's own.
func link(t *testing.T, port int) *mqttlink.Link {
	t.Helper()
	o := mqttlink.DefaultOptions()
	o.Endpoint = fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	l, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// send publishes at the broker.
func send(t *testing.T, l *mqttlink.Link, topic, payload string) {
	t.Helper()
	if err := l.Publish(t.Context(), mqttlink.Message{Topic: topic, Payload: []byte(payload), QoS: 1}); err != nil {
		t.Fatal(err)
	}
}

// hear collects what comes on a filter.
func hear(t *testing.T, l *mqttlink.Link, filter string) <-chan mqttlink.Message {
	t.Helper()
	c := make(chan mqttlink.Message, 10_000)
	if _, err := l.Subscribe(filter, 1, func(_ context.Context, m mqttlink.Message) { c <- m }); err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t *testing.T, c <-chan mqttlink.Message, what string) mqttlink.Message {
	t.Helper()
	select {
	case m := <-c:
		return m
	case <-time.After(binary.Patience):
		t.Fatalf("no %s within %v", what, binary.Patience)
		return mqttlink.Message{}
	}
}

// writeFlow writes a flow into a file.
func writeFlow(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flow.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// engine starts a flow engine without hardware, and returns when it listens.
func engine(t *testing.T, port int, state, file string, args ...string) *process {
	t.Helper()
	p := start(t, binary.Path, append([]string{"flow", "run", "-e", fmt.Sprintf("mqtt://127.0.0.1:%d", port), "--state", state, file}, args...)...)
	p.log("connected")
	return p
}

const hall = `name: Hall
things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}
trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
timeout: 1s
steps:
  - {name: Camera, thing: camera, action: capture, output: cameraResult}
  - {name: Screen, thing: screen, action: display, input: {imageUri: "${cameraResult.lastClickedImage}"}}
`

// TestFaultyCamera plays a camera that never answers, that answers twice, and that
// answers after the time-out. The picture is not shown: a screen that is offline does
// not fail the flow, because displaying has no answer.
func TestFaultyCamera(t *testing.T) {
	t.Parallel()
	port := mosquitto(t)
	l := link(t, port)
	commands, shown := hear(t, l, "TG_Camera/capture"), hear(t, l, "TG_Screen/display")
	state := t.TempDir()
	p := engine(t, port, state, writeFlow(t, hall))
	picture := func(name string) {
		send(t, l, "TG_Camera/capture/finished", fmt.Sprintf(`{"lastClickedImage": "http://%s"}`, name))
	}
	ended := func(n int) flow.Execution {
		t.Helper()
		var list []flow.Execution
		eventually(t, fmt.Sprint(n, " executions"), func() bool {
			list = executions(t, state, "Hall")
			return len(list) >= n && list[0].Status != flow.Running
		})
		return list[0]
	}
	moved := func() { send(t, l, "TG_MS/motion", `{"isMotionDetected": true}`) }
	// The engine's subscription may not be there yet.
	eventually(t, "the first command", func() bool {
		moved()
		select {
		case <-commands:
			return true
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
	if x := ended(1); x.Status != flow.Failed || !strings.Contains(x.Reason, "no answer to capture within 1s; is TG_Camera running") {
		t.Errorf("a camera that never answers: %+v", x)
	}
	for len(commands) > 0 { // of triggers while it waited
		<-commands
	}
	eventually(t, "an engine at rest", func() bool {
		list := executions(t, state, "Hall")
		return list[0].Status != flow.Running
	})
	n := len(executions(t, state, "Hall"))
	for len(commands) > 0 {
		<-commands
	}

	moved()
	next(t, commands, "command")
	picture("one")
	picture("one-again")
	if x := ended(n + 1); x.Status != flow.Succeeded {
		t.Errorf("a camera that answers twice: %+v", x)
	}
	if m := next(t, shown, "display"); string(m.Payload) != `{"imageUri":"http://one"}` {
		t.Errorf("shown: %s", m.Payload)
	}
	p.log("another answer to a command that had one")

	moved()
	next(t, commands, "command")
	if x := ended(n + 2); x.Status != flow.Failed {
		t.Errorf("a camera that is late: %+v", x)
	}
	moved()
	time.Sleep(200 * time.Millisecond) // the next execution begins before the late answer comes
	picture("late")
	next(t, commands, "command")
	picture("three")
	if x := ended(n + 3); x.Status != flow.Succeeded {
		t.Errorf("after the late answer: %+v", x)
	}
	if m := next(t, shown, "display"); string(m.Payload) != `{"imageUri":"http://three"}` {
		t.Errorf("the late picture became another's: %s", m.Payload)
	}
	p.log("answer after its time-out")
}

// TestTriggerStorm: 1,000 events a second. The overlap policy holds, what it drops is
// counted, and nothing piles up.
func TestTriggerStorm(t *testing.T) {
	port := mosquitto(t)
	l := link(t, port)
	state := t.TempDir()
	engine(t, port, state, writeFlow(t, hall))
	if _, err := l.Subscribe("TG_Camera/capture", 1, func(ctx context.Context, _ mqttlink.Message) {
		time.Sleep(20 * time.Millisecond) // as long as a quick camera takes
		l.Publish(ctx, mqttlink.Message{Topic: "TG_Camera/capture/finished", Payload: []byte(`{"lastClickedImage": "http://x"}`), QoS: 1})
	}); err != nil {
		t.Fatal(err)
	}
	stats := func() (s struct{ Started, Succeeded, Dropped, Waiting, Running int }) {
		var list []flowhost.Deployed
		out := flowCommand(t, state, "list", "--json")
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 {
			t.Fatalf("%v: %s", err, out)
		}
		f := list[0].Flows[0]
		s.Started, s.Succeeded, s.Dropped, s.Waiting, s.Running = int(f.Started), int(f.Succeeded), int(f.Dropped), f.Waiting, f.Running
		return s
	}
	eventually(t, "the engine's subscription", func() bool {
		send(t, l, "TG_MS/motion", `{"isMotionDetected": true}`)
		time.Sleep(100 * time.Millisecond)
		return stats().Started > 0
	})
	const storm = 3000
	before := stats()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range storm {
		<-tick.C
		send(t, l, "TG_MS/motion", `{"isMotionDetected": true}`)
	}
	if s := stats(); s.Waiting > 1 || s.Running > 1 {
		t.Errorf("in the storm %+v", s)
	}
	eventually(t, "the end of the storm", func() bool {
		s := stats()
		return s.Started-before.Started+s.Dropped-before.Dropped+s.Waiting >= storm
	})
	s := stats()
	t.Logf("of %d events: %+v", storm, s)
	if s.Started-before.Started < 10 || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
}
