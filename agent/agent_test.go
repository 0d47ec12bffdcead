package agent

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/conf"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/spool/state"
)

// patience bounds waits for events that must come; it is no measure of speed.
const patience = 30 * time.Second

// lab is an agent over simulated parts with its own broker, and a listener that
// hears everything.
type lab struct {
	t         *testing.T
	board     *mock.Board
	folder    string // the state folder
	agent     *Agent
	log       *syncBuffer
	listener  *mqttlink.Link
	mu        sync.Mutex
	heard     []mqttlink.Message
	more      chan struct{}
	stop      func()
	load      func(config.Over) (*config.Config, []conf.Warning, error) // of the next start
	trial     time.Duration
	simulated bool
	doctor    func(context.Context) (doctor.Report, error)
}

const fourThings = `
things:
  - {name: TG_MS, type: motion, pin: GPIO17, warm_up: 0s, hold: 0s, publish: both}
  - {name: bme680, type: environment, interval: 100ms}
  - {name: TG_Camera, type: camera, size: 640x480, warm_up_frames: 0}
  - {name: TG_Screen, type: screen, clear_after: 0s, rotate: %d}
flows: [{builtin: SecurityFlow, when: detected, things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}%s}]
`

func newLab(t *testing.T, o mock.Options, text string) *lab {
	t.Helper()
	l := &lab{t: t, board: mock.New(o), folder: t.TempDir(), log: &syncBuffer{}, more: make(chan struct{}, 1)}
	t.Cleanup(func() {
		l.stop()
		l.board.Close()
		if t.Failed() {
			t.Logf("the agent's log:\n%s", l.log)
		}
	})
	l.start(text)
	return l
}

// start runs an agent on the lab's board and state folder.
func (l *lab) start(text string) {
	t := l.t
	t.Helper()
	l.stop = func() {}
	text = "broker: {listen: \"127.0.0.1:0\"}\n" + text
	if !strings.Contains(text, "\nhttp:") {
		text = "http: {listen: \"127.0.0.1:0\"}\n" + text
	}
	cfg, _, err := config.Parse("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	l.agent, err = New(Options{Config: cfg, Board: l.board, State: l.folder, Ready: func() { close(ready) }, Load: l.load, TrialTime: l.trial, Simulated: l.simulated, Doctor: l.doctor,
		Clock: clock.Options{Trust: true},
		Log:   slog.New(slog.NewTextHandler(l.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.agent.Run(ctx) }()
	options := mqttlink.DefaultOptions()
	options.Endpoint = l.agent.Endpoint()
	if l.listener, err = mqttlink.New(options); err != nil {
		t.Fatal(err)
	}
	if _, err := l.listener.Subscribe("#", 1, l.hear); err != nil {
		t.Fatal(err)
	}
	listening := make(chan error, 1)
	go func() { listening <- l.listener.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		for _, c := range []chan error{ended, listening} {
			select {
			case err := <-c:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Error("does not end")
			}
		}
	})
	<-ready
	if !strings.Contains(text, nowhere) {
		l.until("connections", func() bool { return l.listener.Connected() && l.agent.links.shared.Connected() })
	}
	l.until("every part", func() bool {
		for _, s := range l.agent.Health().Things() {
			if s.State == "starting" {
				return false
			}
		}
		return true
	})
}

// nowhere is an endpoint where nothing listens.
const nowhere = "mqtt://127.0.0.1:1"

func (l *lab) hear(_ context.Context, m mqttlink.Message) {
	l.mu.Lock()
	l.heard = append(l.heard, m)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// until polls a state that has no event.
func (l *lab) until(what string, ok func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// message awaits a message on the topic that has not been awaited yet.
func (l *lab) message(topic string) string {
	l.t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		for i, m := range l.heard {
			if m.Topic == topic {
				l.heard = append(l.heard[:i:i], l.heard[i+1:]...)
				l.mu.Unlock()
				return string(m.Payload)
			}
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-limit:
			l.t.Fatalf("no message on %s within %v", topic, patience)
		}
	}
}

func (l *lab) forget() {
	l.mu.Lock()
	l.heard = nil
	l.mu.Unlock()
}

// move makes the motion sensor's line go up and down, once it is watched.
func (l *lab) move() {
	l.t.Helper()
	l.forget()
	pin := l.board.Pin("GPIO17")
	pin.Set(gpio.High)
	l.message("TG_MS/motion")
	pin.Set(gpio.Low)
	if got := l.message("TG_MS/motion"); got != `{"isMotionDetected": false}` {
		l.t.Errorf("end of motion: %s", got)
	}
}

func (l *lab) get(path string) []byte {
	l.t.Helper()
	r, err := http.Get(path)
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %s %s %v", path, r.Status, b, err)
	}
	return b
}

func (l *lab) mirror() image.Image {
	l.t.Helper()
	img, err := png.Decode(bytes.NewReader(l.get("http://" + strings.Replace(l.agent.WebAddr(), "[::]", "127.0.0.1", 1) + "/screen/TG_Screen.png")))
	if err != nil {
		l.t.Fatal(err)
	}
	return img
}

func (l *lab) state(thing string) string { return l.agent.Health().Things()[thing].State }

var (
	rgb565 = hw.Geometry{Width: 640, Height: 480, Stride: 1280, BitsPerPixel: 16,
		Red: hw.Bitfield{Offset: 11, Length: 5}, Green: hw.Bitfield{Offset: 5, Length: 6}, Blue: hw.Bitfield{Offset: 0, Length: 5}}
	xrgb8888 = hw.Geometry{Width: 640, Height: 480, Stride: 2560, BitsPerPixel: 32,
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8}}
	bgr888 = hw.Geometry{Width: 480, Height: 640, Stride: 480*3 + 96, BitsPerPixel: 24,
		Red: hw.Bitfield{Offset: 0, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 16, Length: 8}}
)

// TestScreenShowsThePicture goes the whole way, line edge to pixel memory, and
// compares the mirror with the picture that was captured, pixel by pixel.
func TestScreenShowsThePicture(t *testing.T) {
	upright := func(x, y int) (int, int) { return x, y }
	for name, tc := range map[string]struct {
		screen  hw.Geometry
		rotate  int
		carrier string
		from    func(x, y int) (int, int) // the picture's pixel at the screen's x, y
		far     int                       // tolerance of a channel
	}{
		"RGB565":                            {rgb565, 0, "", upright, 8},
		"XRGB8888":                          {xrgb8888, 0, "", upright, 2},
		"XRGB8888, upside down":             {xrgb8888, 180, "", func(x, y int) (int, int) { return 639 - x, 479 - y }, 2},
		"BGR888, padded rows, turned right": {bgr888, 90, "", func(x, y int) (int, int) { return y, 479 - x }, 2},
		"BGR888, padded rows, turned left":  {bgr888, 270, "", func(x, y int) (int, int) { return 639 - y, x }, 2},
		"XRGB8888, flow in process":         {xrgb8888, 0, ", carrier: local", upright, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, mock.Options{Screen: tc.screen}, fmt.Sprintf(fourThings, tc.rotate, tc.carrier))
			l.move()
			var finished struct{ LastClickedImage string }
			if err := json.Unmarshal([]byte(l.message("TG_Camera/capture/finished")), &finished); err != nil {
				t.Fatal(err)
			}
			picture, err := jpeg.Decode(bytes.NewReader(l.get(finished.LastClickedImage)))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := mock.ReadCard(picture); !ok {
				t.Error("the picture does not show the test card")
			}
			picture = interpolated(picture)
			l.until("the execution's end", func() bool { return flowsOf(l.agent).stats()["SecurityFlow"][0].Succeeded == 1 })
			for page, want := range map[string]string{
				"metrics": `pithings_flow_ended_total{deployment="SecurityFlow",flow="SecurityFlow",status="SUCCEEDED"} 1`,
				"healthz": `"succeeded": 1`,
			} {
				if got := string(l.get("http://" + l.agent.WebAddr() + "/" + page)); !strings.Contains(got, want) {
					t.Errorf("/%s does not tell %s:\n%s", page, want, got)
				}
			}
			var seen image.Image
			l.until("the picture on the screen", func() bool {
				seen = l.mirror()
				return !black(seen)
			})
			if seen.Bounds() != image.Rect(0, 0, tc.screen.Width, tc.screen.Height) {
				t.Fatalf("the mirror is %v", seen.Bounds())
			}
			wrong := 0
			for y := range tc.screen.Height {
				for x := range tc.screen.Width {
					px, py := tc.from(x, y)
					if distance(seen.At(x, y), picture.At(px, py)) > tc.far {
						wrong++
					}
				}
			}
			if total := tc.screen.Width * tc.screen.Height; wrong > total/1000 {
				t.Errorf("%d of %d pixels differ by more than %d", wrong, total, tc.far)
			}
		})
	}
}

// interpolated is a picture with the chroma that libjpeg and a screen show. image/jpeg
// repeats the samples; they stand for the middle of the pixels that share them.
func interpolated(img image.Image) image.Image {
	p, ok := img.(*image.YCbCr)
	if !ok {
		return img
	}
	b := p.Bounds()
	cw, ch := (b.Dx()+1)/2, b.Dy()
	across, down := 2, 1
	switch p.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		down, ch = 2, (b.Dy()+1)/2
	case image.YCbCrSubsampleRatio422:
	default:
		return img
	}
	// The two samples that a place lies between, and the parts of each in quarters.
	between := func(i, share, n int) (near, far, parts int) {
		if share == 1 {
			return i, i, 4
		}
		near = i / 2
		return near, min(max(near+i%2*2-1, 0), n-1), 3
	}
	out := image.NewRGBA(b)
	for y := range b.Dy() {
		y0, y1, yp := between(y, down, ch)
		for x := range b.Dx() {
			x0, x1, xp := between(x, across, cw)
			sample := func(c []uint8) uint8 {
				row := func(y int) int { return int(c[y*p.CStride+x0])*xp + int(c[y*p.CStride+x1])*(4-xp) }
				return uint8((row(y0)*yp + row(y1)*(4-yp) + 8) / 16)
			}
			r, g, bl := color.YCbCrToRGB(p.Y[y*p.YStride+x], sample(p.Cb), sample(p.Cr))
			out.SetRGBA(x, y, color.RGBA{r, g, bl, 255})
		}
	}
	return out
}

func black(img image.Image) bool {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 7 {
		for x := b.Min.X; x < b.Max.X; x += 7 {
			if distance(img.At(x, y), color.Black) > 0 {
				return false
			}
		}
	}
	return true
}

func distance(a, b color.Color) int {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	d := func(x, y uint32) int { return max(int(x>>8)-int(y>>8), int(y>>8)-int(x>>8)) }
	return max(d(r1, r2), d(g1, g2), d(b1, b2))
}

// TestOnePartFails: while one part is faulty the other three continue, and it recovers
// by itself when the fault ends.
func TestOnePartFails(t *testing.T) {
	moves := func(l *lab) { l.move() }
	reads := func(l *lab) {
		l.forget()
		if got := l.message("bme680/temperature"); !strings.Contains(got, `"success"`) {
			l.t.Errorf("the sensor says %s", got)
		}
	}
	captures := func(l *lab) {
		l.forget()
		l.publish("TG_Camera/capture", "{}")
		l.message("TG_Camera/capture/finished")
	}
	// A picture of one colour, so that the test's pictures can be distinguished.
	shows := func(l *lab) {
		uri, want := swatch(l.t)
		l.until("the swatch on the screen", func() bool { // a flow may still show its picture over it
			l.publish("TG_Screen/display", `{"imageUri":"`+uri+`"}`)
			return distance(l.mirror().At(320, 240), want) <= 8
		})
	}
	all := map[string]func(*lab){"TG_MS": moves, "bme680": reads, "TG_Camera": captures, "TG_Screen": shows}

	down := func(thing string) func(*lab) {
		return func(l *lab) { l.until(thing+" down", func() bool { return l.state(thing) == "down" }) }
	}
	cannot := func(l *lab) { // the camera is found out when it is used
		l.publish("TG_Camera/capture", "{}")
		l.until("the failure in the log", func() bool { return strings.Contains(l.log.String(), "no picture") })
	}
	for name, tc := range map[string]struct {
		thing  string
		fault  func(*mock.Board)
		notice func(*lab)
		end    func(*mock.Board)
	}{
		"motion line gone":       {"TG_MS", func(b *mock.Board) { b.Pin("GPIO17").Unplug() }, down("TG_MS"), func(b *mock.Board) { b.Pin("GPIO17").Replug() }},
		"sensor does not answer": {"bme680", func(b *mock.Board) { b.Bus("1").NACK(-1) }, down("bme680"), func(b *mock.Board) { b.Bus("1").NACK(0) }},
		"bus hangs":              {"bme680", func(b *mock.Board) { b.Bus("1").Hang(true) }, down("bme680"), func(b *mock.Board) { b.Bus("1").Hang(false) }},
		"bus gone":               {"bme680", func(b *mock.Board) { b.Bus("1").Unplug() }, down("bme680"), func(b *mock.Board) { b.Bus("1").Replug() }},
		"measurement never ends": {"bme680", func(b *mock.Board) { b.Bus("1").Sensor().Stick(true) }, down("bme680"), func(b *mock.Board) { b.Bus("1").Sensor().Stick(false) }},
		"another chip":           {"bme680", func(b *mock.Board) { b.Bus("1").Sensor().Pose(0x60); b.Bus("1").Sensor().NACK(20) }, down("bme680"), func(b *mock.Board) { b.Bus("1").Sensor().Pose(0x61) }},
		"camera unplugged":       {"TG_Camera", func(b *mock.Board) { b.Video("/dev/video0").Unplug() }, cannot, func(b *mock.Board) { b.Video("/dev/video0").Replug() }},
		"screen vanishes": {"TG_Screen", func(b *mock.Board) { b.Framebuffer("/dev/fb0").Unplug() }, func(l *lab) {
			uri, _ := swatch(l.t)
			l.publish("TG_Screen/display", `{"imageUri":"`+uri+`"}`)
			down("TG_Screen")(l)
		}, func(b *mock.Board) { b.Framebuffer("/dev/fb0").Replug() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
			for _, works := range all {
				works(l)
			}
			tc.fault(l.board)
			tc.notice(l)
			for thing, works := range all {
				if thing != tc.thing {
					works(l)
				}
			}
			tc.end(l.board)
			l.until(tc.thing+" healed", func() bool { return l.state(tc.thing) == "up" })
			all[tc.thing](l)
		})
	}
}

// TestEndsSoon: whatever hangs, Ctrl-C ends the agent within 5 s.
func TestEndsSoon(t *testing.T) {
	for name, hang := range map[string]func(*lab){
		"bus": func(l *lab) {
			l.board.Bus("1").Hang(true)
			l.until("the hang", func() bool { return l.state("bme680") == "down" })
		},
		"camera": func(l *lab) { l.board.Video("/dev/video0").Stall(true); l.publish("TG_Camera/capture", "{}") },
		"fetch": func(l *lab) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				l.t.Fatal(err)
			}
			l.t.Cleanup(func() { silent.Close() })
			l.publish("TG_Screen/display", `{"imageUri":"http://`+silent.Addr().String()+`/pictures/abcdefghijklmnopqrstuvwxyz.jpg"}`)
			if c, err := silent.Accept(); err == nil { // it has begun
				l.t.Cleanup(func() { c.Close() })
			}
		},
		"broker": func(l *lab) { serviceOf[*brokerService](l.agent).Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
			hang(l)
			began := time.Now()
			l.stop()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func (l *lab) publish(topic, payload string) {
	l.t.Helper()
	if err := l.listener.Publish(l.t.Context(), mqttlink.Message{Topic: topic, QoS: 1, Payload: []byte(payload)}); err != nil {
		l.t.Fatal(err)
	}
}

var swatches struct {
	sync.Mutex
	n int
}

// swatch is the data: URI of a picture of one colour, another each time.
func swatch(t *testing.T) (uri string, c color.Color) {
	t.Helper()
	swatches.Lock()
	swatches.n++
	rgb := color.RGBA{uint8(swatches.n * 53), uint8(swatches.n * 101), uint8(64 + swatches.n*29), 255}
	swatches.Unlock()
	img := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{rgb})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), rgb
}

// TestHostileInput: each gives one clear line and changes nothing else.
func TestHostileInput(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	uri, want := swatch(t)
	l.publish("TG_Screen/display", `{"imageUri":"`+uri+`"}`)
	l.until("the swatch on the screen", func() bool { return distance(l.mirror().At(320, 240), want) <= 8 })
	secret := t.TempDir() + "/secret.png"
	if err := os.WriteFile(secret, []byte("not yours"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ topic, payload, says string }{
		"not JSON":         {"TG_Screen/display", "picture", "not JSON"},
		"wrong type":       {"TG_Screen/display", `{"imageUri": 7}`, "is a JSON number"},
		"an array":         {"TG_Screen/display", `["x"]`, "JSON array"},
		"a megabyte":       {"TG_Screen/display", `{"imageUri":"` + strings.Repeat("x", 1e6) + `"}`, "TG_Screen"},
		"a file":           {"TG_Screen/display", `{"imageUri":"file:///etc/passwd"}`, "file"},
		"another file":     {"TG_Screen/display", `{"imageUri":"file://` + secret + `"}`, "file"},
		"link-local":       {"TG_Screen/display", `{"imageUri":"http://169.254.169.254/latest/meta-data"}`, "169.254.169.254"},
		"unknown scheme":   {"TG_Screen/display", `{"imageUri":"javascript:alert(1)"}`, "javascript"},
		"an empty picture": {"TG_Screen/display", `{"imageUri":"data:image/png;base64,"}`, "picture not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(l.log.String())
			l.publish(tc.topic, tc.payload)
			l.until("a line", func() bool { return strings.Contains(l.log.String()[before:], tc.says) })
			if lines := strings.Split(strings.TrimSpace(l.log.String()[before:]), "\n"); len(lines) != 1 || len(lines[0]) > 1000 {
				t.Errorf("%d lines:\n%s", len(lines), l.log.String()[before:])
			}
			if got := l.mirror().At(320, 240); distance(got, want) > 8 {
				t.Errorf("the screen changed to %v", got)
			}
		})
	}
	l.publish("TG_MS/motion", "nonsense") // and the flow does not stumble over it
	l.message("TG_MS/motion")
	l.move()
	l.message("TG_Screen/display")
}

func TestWebIsLocal(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	base := "http://" + l.agent.WebAddr()
	if !json.Valid(l.get(base + "/healthz")) {
		t.Error("/healthz is not JSON")
	}
	r, err := http.NewRequest("GET", base+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("under a foreign name: %s", resp.Status)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestFlowOfAFile: the configuration names a file, in YAML or of Things Graph.
func TestFlowOfAFile(t *testing.T) {
	dir := t.TempDir()
	var documents []byte
	for _, name := range []string{"workflow", "system", "deployment"} {
		text, err := os.ReadFile("../flow/tdm/testdata/security/" + name + ".graphql")
		if err != nil {
			t.Fatal(err)
		}
		documents = append(append(documents, text...), '\n')
	}
	for name, text := range map[string]string{"room.graphql": string(documents), "hall.yaml": `name: Hall
trigger: {thing: TG_MS, event: StateChanged, when: event.isMotionDetected}
steps: [{name: Camera, thing: camera, action: capture}]
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	things, _, _ := strings.Cut(fourThings, "flows:")
	l := newLab(t, mock.Options{}, fmt.Sprintf(things, 0)+fmt.Sprintf(
		"flows: [{file: %s}, {file: %s, name: Second, carrier: local, timeout: 5s, things: {camera: TG_Camera}}]\n", filepath.Join(dir, "room.graphql"), filepath.Join(dir, "hall.yaml")))
	l.move()
	for _, name := range []string{"Room215", "Second"} {
		l.until(name, func() bool { s := flowsOf(l.agent).stats()[name]; return len(s) == 1 && s[0].Succeeded > 0 })
	}
}

// TestNewFails: what is wrong at the start is an error, and leaves nothing open.
func TestNewFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	owned := t.TempDir()
	other := state.Folder{Dir: owned}
	if err := other.Own(); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	const camera = "things: [{name: c, type: camera}]\n"
	for name, tc := range map[string]struct{ text, state, says string }{
		"no such key":       {"mqtt: {endpoint: mqtts://127.0.0.1, cert: /does/not/exist, key: /nor/this, client_id: x}\nhttp: {listen: \"127.0.0.1:0\"}\n" + camera, "", "/does/not/exist"},
		"web port taken":    {"mqtt: {endpoint: mqtt://127.0.0.1, client_id: x}\nhttp: {listen: \"" + taken.Addr().String() + "\"}\n" + camera, "", "another program has that port"},
		"broker port taken": {"broker: {listen: \"" + taken.Addr().String() + "\"}\n" + camera, "", "another program has that port"},
		"no such flow":      {"mqtt: {endpoint: mqtt://127.0.0.1}\nflows: [{file: /does/not/exist.yaml}]\n", "", "/does/not/exist.yaml"},
		"state owned":       {"mqtt: {endpoint: mqtt://127.0.0.1}\nhttp: {listen: \"127.0.0.1:0\"}\n" + camera, owned, "--state DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := config.Parse("test", []byte(tc.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if tc.state == "" {
				tc.state = t.TempDir()
			}
			a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: tc.state, Log: slog.New(slog.DiscardHandler)})
			if a != nil || err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, %v; want an error of one line with %q", a, err, tc.says)
			}
		})
	}
}
