//go:build faults && linux

package faults

import (
	"bytes"
	"context"
	encoding "encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

// TestTheWorstAtOnce runs the program under the MemoryMax of its unit, and has others send
// it at the same time the worst of each kind: the largest pictures for its screen, capture and
// display commands without end, clients of its broker that fill it and do not read, clients of
// its web server that are slow, and flows as large as they may be. It is not ended, and serves
// those who mean well.
func TestTheWorstAtOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		binary.Lacks(t, "control groups need root")
	}
	t.Parallel()
	limit := memoryMax(t)
	g := newMemoryGroup(t, limit)
	w := &worst{t: t, broker: fmt.Sprintf("127.0.0.1:%d", freePort(t)), web: fmt.Sprintf("127.0.0.1:%d", freePort(t)), state: t.TempDir()}
	config := filepath.Join(t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `state: %s
clock: trust
broker: {listen: %q, allow_anonymous: true}
http: {listen: %q}
things:
  - {name: TG_MS, type: motion, pin: mock}
  - {name: bme680, type: environment, bus: mock, interval: 1s}
  - {name: TG_Camera, type: camera, device: mock, size: 1280x720, warm_up_frames: 0}
  - {name: TG_Screen, type: screen, device: mock, clear_after: 0s, fetch: {allow_nets: [127.0.0.0/8]}}
  - {name: relay, type: output, pin: mock}
  - {name: pi, type: host, interval: 1s}
`, w.state, w.broker, w.web), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && w.program != nil {
			t.Logf("%d pictures fetched, %d MiB to the broker, %d slow requests, %d commands, %d flows deployed\n%s",
				w.fetched.Load(), w.flooded.Load(), w.waited.Load(), w.commanded.Load(), w.deployed.Load(), tail(w.program.complained()))
		}
	})
	p := run(t, g.start, func(string) {}, binary.Path, "run", "--config", config)
	w.program = p
	eventually(t, binary.Patience, "the program is healthy", w.healthy)
	atRest := g.used()
	w.pictures()
	t.Logf("the largest pictures, one after the other: %d MiB of %d, at rest %d", g.used()>>20, limit>>20, atRest>>20)

	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { w.repeat(ctx, w.floodBroker) })
		all.Go(func() { w.repeat(ctx, w.slowRequest) })
	}
	all.Go(func() { w.repeat(ctx, w.commands) })
	all.Go(func() { w.repeat(ctx, w.largeFlow) })
	// Each has done its worst several times, all of them at once.
	least := map[*atomic.Int64]int64{&w.fetched: 3 * int64(len(w.files)), &w.flooded: 1 << 30 >> 20, &w.waited: 200, &w.commanded: 10_000, &w.deployed: 3}
	eventually(t, 5*time.Minute, "all floods", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the program has ended, killed for its memory: %s", g.killed())
		default:
		}
		for n, want := range least {
			if n.Load() < want && !t.Failed() {
				return false
			}
		}
		return true
	})
	cancel()
	all.Wait()
	if t.Failed() {
		return
	}
	t.Logf("all at once: %d MiB of %d at most; %d pictures fetched, %d MiB to the broker, %d slow requests, %d commands, %d flows deployed",
		g.used()>>20, limit>>20, w.fetched.Load(), w.flooded.Load(), w.waited.Load(), w.commanded.Load(), w.deployed.Load())
	if n := g.killed(); n != "0" {
		t.Errorf("the kernel has ended %s processes for their memory", n)
	}
	eventually(t, binary.Patience, "the program is healthy after it", w.healthy)
	w.pictures()                                                   // and it still shows what it is asked to
	if code := p.end(t, syscall.SIGTERM); code != 0 && code != 1 { // 1: messages of the flood are left
		t.Errorf("exit code %d", code)
	}
}

// memoryMax is that of the unit, in bytes.
func memoryMax(t *testing.T) int64 {
	t.Helper()
	unit, err := os.ReadFile("../../deploy/pithings.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^MemoryMax=(\d+)M$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("the unit has no MemoryMax in M")
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 20
}

// worst is all that others do.
type worst struct {
	t           *testing.T
	broker, web string // addresses
	state       string
	program     *process
	server      *httptest.Server
	files       []largest

	fetched, flooded, waited, commanded, deployed atomic.Int64 // flooded in MiB
}

// healthy reports whether the program answers as one that works.
func (w *worst) healthy() bool {
	resp, err := http.Get("http://" + w.web + "/healthz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// repeat does what ends by itself again and again. It is no error that the program cuts it
// short.
func (w *worst) repeat(ctx context.Context, do func(context.Context) error) {
	for ctx.Err() == nil {
		if err := do(ctx); err != nil {
			sleep(ctx, 20*time.Millisecond)
		}
	}
}

// largest is a picture of one colour, of the largest size that a screen takes of its kind.
type largest struct {
	name string
	body []byte
	hue  color.RGBA
}

// pictures has each of the largest pictures shown, and waits until it is seen.
func (w *worst) pictures() {
	w.t.Helper()
	if w.files == nil {
		w.files = largestPictures(w.t)
		w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			i, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			if err != nil || i >= len(w.files) {
				http.NotFound(rw, r)
				return
			}
			if _, err := rw.Write(w.files[i].body); err == nil {
				w.fetched.Add(1)
			}
		}))
		w.t.Cleanup(w.server.Close)
	}
	for i, f := range w.files {
		c, err := w.client(fmt.Sprintf("good-%d", i))
		if err != nil {
			w.t.Fatal(err)
		}
		var asked time.Time
		eventually(w.t, 3*binary.Patience, f.name+" is on the screen", func() bool {
			// Again and again: what a flood has sent last may still be read behind it, and the
			// newest command wins.
			if time.Since(asked) > 30*time.Second {
				asked = time.Now()
				if err := c.publish("TG_Screen/display", w.display(i), false); err != nil {
					w.t.Fatal(err)
				}
			}
			resp, err := http.Get("http://" + w.web + "/screen/TG_Screen.png")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			shown, err := png.Decode(resp.Body)
			if err != nil {
				return false
			}
			b := shown.Bounds()
			got := color.RGBAModel.Convert(shown.At(b.Dx()/2, b.Dy()/2)).(color.RGBA)
			return near(got.R, f.hue.R) && near(got.G, f.hue.G) && near(got.B, f.hue.B)
		})
		c.Close()
	}
}

func near(a, b uint8) bool { return max(a, b)-min(a, b) < 24 }

func (w *worst) display(i int) []byte {
	return fmt.Appendf(nil, `{"imageUri":"%s/%d"}`, w.server.URL, i)
}

// largestPictures are those that need most memory by the limits of docs/limits.md: 40 million
// pixels, and 128 MiB for decoding.
func largestPictures(t *testing.T) []largest {
	t.Helper()
	all := []largest{
		{name: "a JPEG", hue: color.RGBA{200, 40, 40, 255}}, {name: "a progressive JPEG", hue: color.RGBA{40, 200, 40, 255}},
		{name: "a PNG", hue: color.RGBA{40, 40, 200, 255}}, {name: "a GIF", hue: color.RGBA{200, 200, 40, 255}},
		{name: "a WebP", hue: color.RGBA{40, 200, 200, 255}},
	}
	uniform := func(side int, c color.RGBA) image.Image {
		return &image.Paletted{Pix: make([]byte, side*side), Stride: side, Rect: image.Rect(0, 0, side, side), Palette: color.Palette{c, color.White}}
	}
	tool := func(in io.Reader, name string, args ...string) []byte {
		cmd := exec.Command(binary.Need(t, name), args...)
		var out, complaints bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaints
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, complaints.String())
		}
		return out.Bytes()
	}
	for i := range all {
		c := all[i].hue
		var b bytes.Buffer
		var err error
		switch all[i].name {
		case "a JPEG":
			err = jpeg.Encode(&b, uniform(6300, c), nil)
		case "a progressive JPEG":
			const side = 3500 // with 9 bytes a pixel, of which 60 MiB are beyond 4
			ppm := append(fmt.Appendf(nil, "P6 %d %d 255\n", side, side), bytes.Repeat([]byte{c.R, c.G, c.B}, side*side)...)
			b.Write(tool(bytes.NewReader(ppm), "cjpeg", "-progressive", "-sample", "1x1"))
		case "a PNG":
			const side = 5600 // with 4 bytes a pixel
			m := image.NewNRGBA(image.Rect(0, 0, side, side))
			for j := 0; j < len(m.Pix); j += 4 {
				m.Pix[j], m.Pix[j+1], m.Pix[j+2], m.Pix[j+3] = c.R, c.G, c.B, 254 // not opaque, so that alpha is kept
			}
			err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m)
		case "a GIF":
			err = gif.Encode(&b, uniform(6300, c), nil)
		case "a WebP":
			b.Write(flatWebP(5100, c)) // with 4 bytes a pixel, and 24 MiB for codes
		}
		if err != nil {
			t.Fatalf("%s: %v", all[i].name, err)
		}
		all[i].body = b.Bytes()
		t.Logf("%s of %d bytes", all[i].name, b.Len())
	}
	return all
}

// flatWebP is a lossless WebP of one colour whose pixels take no bits (RFC 9649, section 3).
func flatWebP(side int, c color.RGBA) []byte {
	var bits []byte
	n := 0
	put := func(v uint32, width int) {
		for i := range width {
			if n%8 == 0 {
				bits = append(bits, 0)
			}
			bits[n/8] |= byte(v>>i&1) << (n % 8)
			n++
		}
	}
	put(0x2F, 8)
	put(uint32(side-1), 14)
	put(uint32(side-1), 14)
	put(0, 1+3) // no alpha; version
	put(0, 1)   // no transform
	put(0, 1)   // no cache of colours
	put(0, 1)   // one group of codes
	for _, symbol := range []uint8{c.G, c.R, c.B, 255, 0} {
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // of 8 bits
		put(uint32(symbol), 8)
	}
	data := bits
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	out := encoding.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(data)))
	out = encoding.LittleEndian.AppendUint32(append(out, "WEBPVP8L"...), uint32(len(bits)))
	return append(out, data...)
}

// mqttClient is a client that knows only how to send.
type mqttClient struct{ net.Conn }

// client connects to the broker.
func (w *worst) client(id string) (mqttClient, error) {
	conn, err := net.DialTimeout("tcp", w.broker, 5*time.Second)
	if err != nil {
		return mqttClient{}, err
	}
	c := mqttClient{conn}
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, 0}, field(id)...) // a session that stays
	c.packet(0x10, body)
	answer := make([]byte, 4)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c, answer); err != nil || answer[3] != 0 {
		c.Close()
		return c, errors.Join(err, fmt.Errorf("CONNACK %x", answer))
	}
	return c, nil
}

func field(text string) []byte {
	return append(encoding.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}

// packet sends one control packet (MQTT 3.1.1 section 2).
func (c mqttClient) packet(kind byte, body []byte) error {
	head := []byte{kind}
	for n := len(body); ; {
		b := byte(n & 0x7F)
		if n >>= 7; n > 0 {
			head = append(head, b|0x80)
			continue
		}
		head = append(head, b)
		break
	}
	c.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := c.Write(append(head, body...))
	return err
}

func (c mqttClient) publish(topic string, payload []byte, retain bool) error {
	kind := byte(0x30)
	if retain {
		kind |= 1
	}
	return c.packet(kind, append(field(topic), payload...))
}

// floodBroker subscribes to everything, reads nothing, and sends large messages that are
// retained and that are not.
func (w *worst) floodBroker(ctx context.Context) error {
	n := w.flooded.Load()
	c, err := w.client(fmt.Sprintf("flood-%d-%d", n%1000, time.Now().UnixNano()%1000))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.packet(0x82, append([]byte{0, 1}, append(field("#"), 1)...)); err != nil {
		return err
	}
	payload := bytes.Repeat([]byte("x"), 1000<<10)
	for i := range 20 {
		if err := c.publish(fmt.Sprintf("flood/%d/%d", n, i), payload, i%2 == 0); err != nil {
			return err
		}
		w.flooded.Add(1)
	}
	return nil
}

// slowRequest is a client of the web server that sends a byte now and then, until it is shown
// the door.
func (w *worst) slowRequest(ctx context.Context) error {
	c, err := net.DialTimeout("tcp", w.web, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "); err != nil {
		return err
	}
	w.waited.Add(1)
	for ctx.Err() == nil {
		if _, err := c.Write([]byte(strings.Repeat("y", 256))); err != nil {
			return nil
		}
		sleep(ctx, 100*time.Millisecond)
	}
	return nil
}

// commands sends commands to the camera and the screen, each for another of the pictures.
func (w *worst) commands(ctx context.Context) error {
	c, err := w.client("commander")
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		n := w.commanded.Add(2)
		err := errors.Join(c.publish("TG_Camera/capture", fmt.Appendf(nil, `{"token":"%d"}`, n), false),
			c.publish("TG_Screen/display", w.display(int(n/500)%len(w.files)), false))
		if err != nil {
			return err
		}
		if n%500 == 0 {
			sleep(ctx, 500*time.Millisecond) // so that a picture is decoded and not each time dropped for the next
		}
	}
	return nil
}

// largeFlow deploys a flow with as many steps, in a file about as large, as there may be.
func (w *worst) largeFlow(ctx context.Context) error {
	var flow strings.Builder
	fmt.Fprintf(&flow, "name: Large\nthings: {relay: {thing: relay, model: output}}\ntrigger: {every: 1 hour}\nsteps:\n")
	for i := range 1000 {
		fmt.Fprintf(&flow, "  # %s\n  - {name: S%d, wait: 1s}\n", strings.Repeat("z", 950), i)
	}
	file := filepath.Join(w.state, fmt.Sprintf("large-%d.yaml", w.deployed.Load()))
	if err := os.WriteFile(file, []byte(flow.String()), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	out, err := exec.CommandContext(ctx, binary.Path, "flow", "deploy", "--state", w.state, file).CombinedOutput()
	if err != nil {
		if ctx.Err() == nil && !bytes.Contains(out, []byte("try again")) {
			w.t.Errorf("flow deploy: %v\n%s", err, tail(string(out)))
			sleep(ctx, time.Hour)
		}
		return err
	}
	w.deployed.Add(1)
	return nil
}
