package flowhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/flow"
	"pithings/flow/history"
	"pithings/mqttlink/linktest"
	"pithings/things"
)

// patience bounds waits for what must come; it is no measure of speed.
const patience = 20 * time.Second

// fake is a thing of this process.
type fake struct {
	mu      sync.Mutex
	watches map[int]func(map[string]any, time.Time)
	next    int
	inside  int // calls under way
	most    int
	calls   []string
	call    func(context.Context) (map[string]any, error)
}

func (f *fake) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watches == nil {
		f.watches = map[int]func(map[string]any, time.Time){}
	}
	f.next++
	id := f.next
	f.watches[id] = fn
	return func() {
		f.mu.Lock()
		delete(f.watches, id)
		f.mu.Unlock()
	}, nil
}

func (f *fake) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprint(action, input))
	f.inside++
	f.most = max(f.most, f.inside)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inside--
		f.mu.Unlock()
	}()
	if f.call == nil {
		return nil, nil
	}
	return f.call(ctx)
}

func (f *fake) happens(values map[string]any) {
	f.mu.Lock()
	var fns []func(map[string]any, time.Time)
	for _, fn := range f.watches {
		fns = append(fns, fn)
	}
	f.mu.Unlock()
	for _, fn := range fns {
		fn(values, time.Now())
	}
}

func (f *fake) watched() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watches)
}

func (f *fake) called() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, " ")
}

// house is flows over a state folder, with a link and three things.
type house struct {
	*testing.T
	dir                    string
	link                   *linktest.Client
	log                    bytes.Buffer
	sensor, camera, screen *fake
	f                      *Flows
}

// newHouse opens the flows of a folder; they run from run on.
func newHouse(t *testing.T) *house {
	h := &house{T: t, dir: t.TempDir(), link: linktest.New(), sensor: &fake{}, camera: &fake{}, screen: &fake{}}
	taken := 0
	h.camera.call = func(context.Context) (map[string]any, error) {
		taken++
		return map[string]any{"lastClickedImage": fmt.Sprintf("http://here/%d.jpg", taken)}, nil
	}
	t.Cleanup(func() {
		if h.f != nil {
			h.f.Close()
		}
		h.link.Close()
		if t.Failed() {
			t.Logf("log:\n%s", h.log.String())
		}
	})
	return h
}

func (h *house) open() {
	h.Helper()
	f, err := Open(Parts{State: h.dir, Link: h.link, Log: slog.New(slog.NewTextHandler(&locked{w: &h.log}, nil)),
		Things: map[string]Thing{
			"TG_MS": {Device: h.sensor, Looks: things.KindOf("motion").Usually()}, "TG_Camera": {Device: h.camera, Looks: things.KindOf("camera").Usually()}, "TG_Screen": {Device: h.screen, Looks: things.KindOf("screen").Usually()},
		}})
	if err != nil {
		h.Fatal(err)
	}
	h.f = f
}

type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (h *house) run() {
	h.Helper()
	if h.f == nil {
		h.open()
	}
	if err := h.f.Run(); err != nil {
		h.Fatal(err)
	}
}

// restart ends the process and starts it again.
func (h *house) restart() {
	h.Helper()
	if err := h.f.Close(); err != nil {
		h.Fatal(err)
	}
	h.f = nil
	h.run()
}

const hall = `name: Hall
things: {motionSensor: TG_MS, camera: TG_Camera, screen: TG_Screen}
trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
steps:
  - {name: Camera, thing: camera, action: capture, output: cameraResult}
  - {name: Screen, thing: screen, action: display, input: {imageUri: "${cameraResult.lastClickedImage}"}}
`

func deployment(text string, o Options) DeployRequest {
	return DeployRequest{Files: []File{{"hall.yaml", text}}, Options: o}
}

func (h *house) deploy(text string, o Options) Deployed {
	h.Helper()
	d, err := h.f.Deploy(h.Context(), deployment(text, o))
	if err != nil {
		h.Fatal(err)
	}
	return d[0]
}

func (h *house) refused(what string, err error, says string) {
	h.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		h.Errorf("%s: %v; want an error with %q", what, err, says)
	}
}

// until polls a state that has no event.
func (h *house) until(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// ended waits until n executions have ended, and returns them, the newest first.
func (h *house) ended(n int) []flow.Execution {
	h.Helper()
	var list []flow.Execution
	h.until(fmt.Sprint(n, " executions"), func() bool {
		var err error
		if list, err = h.f.Executions(h.Context(), history.Filter{}); err != nil {
			h.Fatal(err)
		}
		done := 0
		for _, x := range list {
			if x.Status != flow.Running {
				done++
			}
		}
		return done >= n
	})
	return list
}

func (h *house) status(name string) string {
	h.Helper()
	list, err := h.f.List(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	for _, d := range list {
		if d.Name == name {
			return fmt.Sprint(d.Status, " ", d.Revision)
		}
	}
	return "none"
}

func (h *house) wantStatus(name, want string) {
	h.Helper()
	if got := h.status(name); got != want {
		h.Errorf("%s is %s, want %s", name, got, want)
	}
}

func (h *house) path(parts ...string) string {
	return filepath.Join(append([]string{h.dir, "flows"}, parts...)...)
}

func (h *house) exists(path string) bool {
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.Fatal(err)
	}
	return err == nil
}
