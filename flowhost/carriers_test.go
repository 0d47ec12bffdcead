package flowhost

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pithings/flow"
	"pithings/flow/history"
	"pithings/mqttlink"
	"pithings/spool/control"
	agentstate "pithings/spool/state"
)

// TestOneCameraTwoCarriers: flows that reach one camera within the process and
// through the broker never have two captures in flight, and never take each other's
// picture.
func TestOneCameraTwoCarriers(t *testing.T) {
	h := newHouse(t)
	var inFlight, most, taken atomic.Int64
	take := func(ctx context.Context, who string) string {
		most.Store(max(most.Load(), inFlight.Add(1)))
		uri := fmt.Sprintf("http://%s/%d.jpg", who, taken.Add(1))
		time.Sleep(time.Millisecond)
		inFlight.Add(-1)
		// As the camera does: all answers are published at the broker.
		if err := h.link.Publish(ctx, mqttlink.Message{Topic: "TG_Camera/capture/finished", Payload: fmt.Appendf(nil, `{"lastClickedImage": %q}`, uri)}); err != nil {
			t.Error(err)
		}
		return uri
	}
	h.camera.call = func(ctx context.Context) (map[string]any, error) {
		return map[string]any{"lastClickedImage": take(ctx, "local")}, nil
	}
	if _, err := h.link.Subscribe("TG_Camera/capture", 1, func(ctx context.Context, _ mqttlink.Message) { take(ctx, "broker") }); err != nil {
		t.Fatal(err)
	}
	h.run()
	h.deploy(hall, Options{Name: "Local"})
	h.deploy(strings.Replace(hall, "camera: TG_Camera", "camera: {thing: TG_Camera, carrier: broker}", 1), Options{Name: "Broker"})
	h.deploy(hall, Options{Name: "All", Carrier: "local"})
	const rounds = 50
	for i := range rounds {
		h.sensor.happens(detected)
		h.ended(3 * (i + 1))
	}
	if most.Load() != 1 {
		t.Errorf("%d captures were in flight", most.Load())
	}
	list := h.ended(3 * rounds)
	for _, x := range list {
		story, err := h.f.Execution(t.Context(), x.ID)
		if err != nil || x.Status != flow.Succeeded {
			t.Fatalf("%+v, %v", x, err)
		}
		want := "http://local/"
		if x.Deployment == "Broker" {
			want = "http://broker/"
		}
		for _, e := range story.Events {
			if e.Type == flow.ActivitySucceeded && e.Payload.Step == "Camera" && !strings.Contains(fmt.Sprint(e.Payload.Output), want) {
				t.Fatalf("%s took the picture %v", x.Deployment, e.Payload.Output)
			}
		}
	}
}

// TestForeignThing: a board of another maker, described in the file.
func TestForeignThing(t *testing.T) {
	h := newHouse(t)
	h.run()
	h.deploy(`name: Lamp
things: {meter: {thing: desk, model: meter}, lamp: {thing: desk-lamp, model: lamp}}
trigger: {thing: meter, event: Light, when: value < 50.0, max_age: 10s}
steps:
  - {name: On, thing: lamp, action: turn, input: {brightness: 255}, output: was}
models:
  meter:
    events: {Light: {topic: "sensors/{thing}/lux", payload: {bare: number}}}
  lamp:
    actions:
      turn: {topic: "{thing}/set", params: {brightness: integer}, request: {state: "${brightness}"}, answer: "{thing}/state", result: {keys: {state: integer}}}
`, Options{})
	h.until("subscriptions", func() bool { return h.link.Subscribed("sensors/desk/lux") && h.link.Subscribed("desk-lamp/state") })
	for _, payload := range []string{"70.0", "dark", "12.5"} {
		if err := h.link.Inject(mqttlink.Message{Topic: "sensors/desk/lux", Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := h.link.WaitFor(t.Context(), "desk-lamp/set", 1)
	if err != nil || string(m.Payload) != `{"state":255}` {
		t.Fatalf("%s, %v", m.Payload, err)
	}
	if err := h.link.Inject(mqttlink.Message{Topic: "desk-lamp/state", Payload: []byte(`{"state": 255}`)}); err != nil {
		t.Fatal(err)
	}
	if x := h.ended(1)[0]; x.Status != flow.Succeeded {
		t.Errorf("%+v", x)
	}
	if s := h.f.Unused()["desk"]; s.Unread != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := h.f.Undeploy(t.Context(), "Lamp"); err != nil {
		t.Fatal(err)
	}
	if h.link.Subscribed("sensors/desk/lux") || h.link.Subscribed("desk-lamp/state") || len(h.f.carriers.remotes) != 0 {
		t.Error("an undeployed flow is still subscribed")
	}
}

// far is SecurityFlow with things of other processes.
const far = `name: Far
things: {motionSensor: far_MS, camera: far_Camera, screen: far_Screen}
trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
steps:
  - {name: Camera, thing: camera, action: capture, output: cameraResult}
  - {name: Screen, thing: screen, action: display, input: {imageUrl: "${cameraResult.lastClickedImage}"}}
`

func (h *house) inject(topic, payload string) {
	h.Helper()
	if err := h.link.Inject(mqttlink.Message{Topic: topic, Payload: []byte(payload), QoS: 1}); err != nil {
		h.Fatal(err)
	}
}

// TestBacklogStartsNothing: events that tell their time, and it is long ago.
func TestBacklogStartsNothing(t *testing.T) {
	h := newHouse(t)
	h.run()
	h.deploy(far, Options{})
	for i := range 100 {
		h.inject("far_MS/motion", fmt.Sprintf(`{"isMotionDetected": true, "time": %q}`, time.Now().Add(-time.Hour+time.Duration(i)*time.Second).UTC().Format(time.RFC3339)))
	}
	h.inject("far_MS/motion", `{"isMotionDetected": true, "time": null}`)
	h.until("the backlog", func() bool { return h.f.Stats()["Far"][0].TooOld == 101 })
	h.inject("far_MS/motion", fmt.Sprintf(`{"isMotionDetected": true, "time": %d}`, time.Now().UnixMilli()))
	if _, err := h.link.WaitFor(t.Context(), "far_Camera/capture", 1); err != nil {
		t.Fatal(err)
	}
	if s := h.f.Stats()["Far"][0]; s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

// TestGuessedCamera: a camera that nothing is known of may have one address for all
// its pictures, as the example devices have.
func TestGuessedCamera(t *testing.T) {
	h := newHouse(t)
	h.run()
	h.deploy(far, Options{})
	for i := range 3 {
		h.inject("far_MS/motion", `{"isMotionDetected": true}`)
		if _, err := h.link.WaitFor(t.Context(), "far_Camera/capture", i+1); err != nil {
			t.Fatal(err)
		}
		h.inject("far_Camera/capture/finished", `{"lastClickedImage": "http://latest.jpg"}`)
		if x := h.ended(i + 1)[0]; x.Status != flow.Succeeded {
			t.Errorf("%+v", x)
		}
	}
}

// TestShared: what engines share, and what is refused because they would take each
// other's answers.
func TestShared(t *testing.T) {
	h := newHouse(t)
	h.run()
	ours := strings.Replace(far, "camera: far_Camera", "camera: {thing: far_Camera, model: camera}", 1)
	h.deploy(ours, Options{Shared: "house"})
	if !h.link.Subscribed("$share/house/far_MS/motion") || h.link.Subscribed("far_MS/motion") {
		t.Error("the events are not shared")
	}
	h.inject("far_MS/motion", `{"isMotionDetected": true}`)
	m, err := h.link.WaitFor(t.Context(), "far_Camera/capture", 1)
	var command struct{ Token string }
	if err != nil || json.Unmarshal(m.Payload, &command) != nil || command.Token == "" {
		t.Fatalf("%s, %v", m.Payload, err)
	}
	h.inject("far_Camera/capture/finished", `{"lastClickedImage": "http://other", "token": "other"}`)
	h.inject("far_Camera/capture/finished", fmt.Sprintf(`{"lastClickedImage": "http://mine", "token": %q}`, command.Token))
	m, err = h.link.WaitFor(t.Context(), "far_Screen/display", 1)
	if err != nil || string(m.Payload) != `{"imageUri":"http://mine"}` {
		t.Errorf("%s, %v", m.Payload, err)
	}

	_, err = h.f.Deploy(t.Context(), deployment(ours, Options{Name: "Alone"}))
	h.refused("the same events alone", err, "all have to do it alike")
	_, err = h.f.Deploy(t.Context(), deployment(ours, Options{Name: "Other", Shared: "garden"}))
	h.refused("the same events in another group", err, "all have to do it alike")
	h.deploy(ours, Options{Name: "Same", Shared: "house"})

	_, err = h.f.Deploy(t.Context(), deployment(hall, Options{Shared: "house", Carrier: "local"}))
	h.refused("shared and local", err, "cannot be reached locally by a shared flow")
	h.deploy(hall, Options{Shared: "house"}) // auto is the broker, then
	if h.sensor.watched() != 0 || !h.link.Subscribed("$share/house/TG_MS/motion") {
		t.Error("a shared flow hears of its own process's events by another way")
	}

	// A camera of which it is not known whether it repeats tokens serves one flow.
	foreign := strings.NewReplacer("camera: far_Camera", "camera: {thing: cam, model: 'urn:tdm:aws/examples:deviceModel:Camera'}", "name: Far", "name: Foreign").Replace(far)
	h.deploy(foreign, Options{Shared: "house"})
	_, err = h.f.Deploy(t.Context(), deployment(foreign, Options{Name: "Foreign2", Shared: "house"}))
	h.refused("two flows on a silent camera", err, "only one flow may use it; these do: [Foreign/Foreign Foreign2/Foreign]")
	_, err = h.f.Deploy(t.Context(), deployment(strings.Replace(far, "far_Camera", "cam", 1), Options{Name: "Foreign3", Things: map[string]string{"motionSensor": "another"}}))
	h.refused("one that is not shared", err, "only one flow may use it")
	h.deploy(strings.Replace(foreign, "'urn:tdm:aws/examples:deviceModel:Camera'", "camera", 1), Options{Name: "Foreign", Shared: "house"})
	h.deploy(strings.Replace(ours, "far_Camera", "cam", 1), Options{Name: "Foreign3", Things: map[string]string{"motionSensor": "another"}})
}

// TestNoConnection: without one only the things of the process can be reached.
func TestNoConnection(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.f.carriers.link = nil
	h.run()
	h.deploy(hall, Options{})
	_, err := h.f.Deploy(t.Context(), deployment(far, Options{}))
	h.refused("far things", err, "this process has no connection for flows")
	h.wantStatus("Far", "FAILED 1")
}

// TestWebService: a flow calls one, within the bounds of the configuration.
func TestWebService(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"picture": "http://pictures/%s"}`, r.FormValue("of"))
	}))
	defer server.Close()
	text := `name: Service
things: {screen: TG_Screen}
parameters: {of: String}
steps:
  - {name: Ask, service: pictures, action: find, input: {of: "${of}"}, output: found}
  - {name: Show, thing: screen, action: display, input: {imageUri: "${found.picture}"}}
services:
  pictures: {actions: {find: {method: GET, url: "` + server.URL + `", params: {of: string}, query: {of: "${of}"}}}}
`
	h := newHouse(t)
	h.run()
	start := func(n int) flow.Execution {
		h.deploy(text, Options{})
		if _, err := h.f.Start(t.Context(), StartRequest{Deployment: "Service", Args: map[string]any{"of": "cats"}}); err != nil {
			t.Fatal(err)
		}
		return h.ended(n)[0]
	}
	if x := start(1); x.Status != flow.Failed || !strings.Contains(x.Reason, "127.0.0.1") {
		t.Errorf("this machine's own address: %+v", x)
	}
	h.f.p.Services.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if x := start(2); x.Status != flow.Succeeded || h.screen.called() != "displaymap[imageUri:http://pictures/cats]" {
		t.Errorf("%+v; the screen was asked %s", x, h.screen.called())
	}
	_, err := h.f.Deploy(t.Context(), deployment(strings.Replace(text, "action: find", "action: seek", 1), Options{}))
	h.refused("an action that is not there", err, `no action "seek"`)
}

// TestDesks: the agent's desk through its socket does what the one on the folder
// does.
func TestDesks(t *testing.T) {
	h := newHouse(t)
	folder := agentstate.Folder{Dir: h.dir}
	if err := folder.Own(); err != nil {
		t.Fatal(err)
	}
	h.open()
	s, err := control.Listen(folder.Socket(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(Routes(func() *Flows { return h.f })...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	h.run()
	use := func(runs bool, want Status) {
		t.Helper()
		d, live, done, err := Connect(t.Context(), h.dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if live != runs {
			t.Errorf("an agent runs: %v", live)
		}
		all, err := d.Deploy(t.Context(), deployment(hall, Options{Things: map[string]string{"screen": "TG_Screen"}}))
		if err != nil || len(all) != 1 || all[0].Status != want {
			t.Errorf("deployed: %+v, %v", all, err)
		}
		if list, err := d.List(t.Context()); err != nil || len(list) != 1 || list[0].Revision != all[0].Revision {
			t.Errorf("listed: %+v, %v", list, err)
		}
		if s, err := d.Show(t.Context(), "Hall", 0); err != nil || s.Snapshot.Files[0].Text != hall || len(s.Things) != 3 {
			t.Errorf("shown: %+v, %v", s, err)
		}
		id, err := d.Start(t.Context(), StartRequest{Deployment: "Hall"})
		if (err == nil) != runs {
			t.Errorf("started: %s, %v", id, err)
		}
		if runs {
			h.ended(1)
		}
		list, err := d.Executions(t.Context(), history.Filter{Deployment: "Hall", Status: flow.Succeeded, Limit: 5})
		if err != nil || len(list) != 1 {
			t.Fatalf("executions: %+v, %v", list, err)
		}
		if story, err := d.Execution(t.Context(), list[0].ID); err != nil || len(story.Events) < 5 {
			t.Errorf("execution: %+v, %v", story, err)
		}
		_, err = d.Delete(t.Context(), "Hall", false)
		h.refused("deleting", err, "undeploy it first")
		if _, err := d.Undeploy(t.Context(), "Hall"); err != nil {
			t.Error(err)
		}
		if one, err := d.Delete(t.Context(), "Hall", false); err != nil || one.Status != DeletedInTarget {
			t.Errorf("deleted: %+v, %v", one, err)
		}
		_, err = d.Deploy(t.Context(), deployment("name: [", Options{}))
		h.refused("deploying what is wrong", err, "hall.yaml:1:")
	}
	use(true, DeployedInTarget)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := h.f.Close(); err != nil {
		t.Error(err)
	}
	if _, _, _, err := Connect(t.Context(), h.dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("beside an owner without a socket: %v", err)
	}
	folder.Close()
	use(false, Bootstrap)
}

// What goes to a thing at most once goes with QoS 0, and that is a way of its own.
func TestAtMostOnce(t *testing.T) {
	h := newHouse(t)
	qos := make(chan byte, 10)
	if _, err := h.link.Subscribe("lamp/set", 1, func(_ context.Context, m mqttlink.Message) { qos <- m.QoS }); err != nil {
		t.Fatal(err)
	}
	h.run()
	for i, want := range []byte{0, 1, 0} {
		h.deploy(fmt.Sprintf(`name: Lamp%d
things: {lamp: {thing: lamp, model: lamp, qos: %d}}
trigger: {hand: true}
steps: [{name: Turn, thing: lamp, action: turn}]
models: {lamp: {actions: {turn: {topic: "{thing}/set", params: {}, request: {}}}}}
`, i, want), Options{})
		if _, err := h.f.Start(t.Context(), StartRequest{Deployment: fmt.Sprint("Lamp", i)}); err != nil {
			t.Fatal(err)
		}
		h.ended(i + 1)
		if got := <-qos; got != want {
			t.Errorf("%d, not %d", got, want)
		}
	}
}
