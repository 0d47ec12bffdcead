package things

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"slices"
	"strings"
	"time"

	"pithings/camera"
	"pithings/camera/store"
	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
)

// cameraKind is a V4L2 camera. Its topics and payloads are those of the AWS IoT Things Graph
// example devices.
//
// A capture that fails is answered by nothing at all: no payload for it was ever defined, and
// one without lastClickedImage could be taken for success.
//
// A token, of up to 128 bytes, is for those who share a camera: an answer has one
// only if its command had. A command whose token was answered lately was delivered
// twice; it gets the same answer again, with QoS 0 and once a second at most, and no
// second picture. Without a token that is known only if the broker marks the command as
// a redelivery (MQTT 3.1.1 section 3.3.1.1) and the answer is younger than ten seconds.
var cameraKind = &Kind{
	Name: "camera", Doc: "V4L2 camera", Example: "TG_Camera", Web: true,
	Topics: []Topic{
		{Role: "capture", Template: "{thing}/capture", In: true, QoS: 1, Payloads: []Payload{
			{`{}`, "take a picture; any payload does"},
			{`{"token": "…"}`, "and repeat the token in the answer"},
		}},
		{Role: finishedRole, Template: "{thing}/capture/finished", QoS: 1, Alarm: true, Payloads: []Payload{
			{`{"lastClickedImage": "https://…"}`, "where the picture can be fetched"},
			{`{"lastClickedImage": "https://…", "token": "…"}`, "the answer to a command with a token"},
		}},
	},
	Nodes:    []hw.Nodes{hw.VideoDevices},
	New:      func() Settings { return new(CameraSettings) },
	Usual:    func() (string, Settings) { return "camera", &CameraSettings{Device: "/dev/video0", Format: formatAuto} },
	Discover: discoverCameras,
}

const finishedRole = "finished"

// CameraSettings are what a configuration says of a camera.
type CameraSettings struct {
	Device       string    `json:"device" default:"/dev/video0" part:"file" change:"local" jsonschema:"video device, for example /dev/video0 or /dev/v4l/by-id/…; mock simulates it"`
	Size         conf.Size `json:"size" default:"1280x720" change:"afar" jsonschema:"WIDTHxHEIGHT; the nearest that the camera offers is used"`
	Format       string    `json:"format" default:"auto" enum:"auto,mjpeg,yuyv,uyvy,yu12,nv12,grey" change:"afar" jsonschema:"what the camera is asked for; auto: MJPEG when offered, else a raw format, grey last; yu12 is also called I420"`
	Quality      int       `json:"quality" default:"85" min:"1" max:"100" change:"afar" jsonschema:"JPEG quality of pictures in raw formats, yuyv to grey"`
	WarmUpFrames int       `json:"warm_up_frames" default:"10" min:"0" max:"300" change:"afar" jsonschema:"frames skipped while exposure settles"`
	KeepOpen     bool      `json:"keep_open" default:"false" change:"afar" jsonschema:"whether the camera runs between pictures: faster, warmer"`
}

// formatAuto is the CameraSettings.Format that takes what there is.
const formatAuto = "auto"

// Part implements Settings.
func (s *CameraSettings) Part() (key, name string) { return "device", s.Device }

// Simulate implements Settings: pictures of the simulation are small, and there is no exposure.
func (s *CameraSettings) Simulate() {
	s.Size, s.WarmUpFrames = conf.Size{Width: 640, Height: 480}, 0
}

// Probe implements Settings.
func (s *CameraSettings) Probe(ctx context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Camera(ctx, part, s.Device, s.missing)
}

// missing returns what is wrong with the formats that a camera offers, and what to do.
func (s *CameraSettings) missing(offered []hw.VideoFormat) (problem, fix string) {
	pixel, _ := camera.ParseFormat(s.Format)
	wanted := camera.Formats(pixel)
	switch {
	case slices.ContainsFunc(offered, func(f hw.VideoFormat) bool { return slices.Contains(wanted, f.Pixel) }):
		return "", ""
	case pixel == 0:
		return "it offers no format that pithings understands", "use a camera with MJPEG or YUYV, as most USB cameras have"
	}
	return "it does not offer the configured format " + s.Format, "write format: auto in the configuration"
}

// discoverCameras returns the video devices that give pictures.
func discoverCameras(c *probe.Connected) (all []Candidate) {
	for _, v := range c.Video {
		if v.Err != nil {
			continue
		}
		s := new(CameraSettings)
		conf.Fill(s)
		s.Device = v.Open
		one := Candidate{Part: v.Open, Name: "camera", Settings: s}
		one.Problem, one.Fix = s.missing(v.Formats)
		all = append(all, one)
	}
	return all
}

// Describe implements Settings. The action is capture, whose answer holds lastClickedImage.
func (s *CameraSettings) Describe(t Topics) Description {
	return Description{
		Model: device.Model{Actions: map[string]device.ActionModel{"capture": {Topic: t["capture"], Answer: t[finishedRole], Token: "token", Picture: "lastClickedImage",
			Result: device.Payload{Keys: map[string]device.ValueType{"lastClickedImage": device.StringType}}}}},
		Wire: Model{Actions: map[string]Action{
			"capture": {Topic: t["capture"], Request: WriteObject, Answer: t[finishedRole], Read: ReadFinished,
				Token: "token", Echoes: true, Unique: true},
		}},
	}
}

// keepOpen is as good as for ever.
const keepOpen = 365 * 24 * time.Hour

// opts are the settings in the words of package camera, which reads some zeros as "default".
func (s *CameraSettings) opts() *camera.Opts {
	o := &camera.Opts{Size: image.Pt(s.Size.Width, s.Size.Height), Quality: s.Quality, WarmUpFrames: s.WarmUpFrames}
	if s.WarmUpFrames == 0 {
		o.WarmUpFrames = -1
	}
	if s.KeepOpen {
		o.KeepOpen = keepOpen
	}
	o.Pixel, _ = camera.ParseFormat(s.Format)
	return o
}

// ReadFinished reads a camera's answer with all its keys (others send s3BucketName
// and s3ItemName too), leniently: the guide prints imageUri in one place where its
// devices send lastClickedImage.
func ReadFinished(payload []byte) (map[string]any, error) {
	var values map[string]any
	if err := decode(payload, &values); err != nil {
		return nil, err
	}
	for _, key := range []string{"lastClickedImage", "imageUri"} {
		if uri, ok := values[key].(string); ok && uri != "" {
			values["lastClickedImage"] = uri
			return values, nil
		}
	}
	return nil, errors.New("it has no lastClickedImage")
}

// FinishedPayload is the payload of "finished"; a token of "" is none.
func FinishedPayload(uri, token string) []byte {
	payload, _ := finishedRecord(uri, token).encode()
	return payload
}

// finishedRecord is what a camera has to say of a picture.
func finishedRecord(uri, token string) *record {
	r := new(record).string("lastClickedImage", uri)
	if token != "" {
		r.string("token", token)
	}
	return r
}

// Camera is a camera on MQTT.
type Camera struct {
	outlet
	camera   *camera.Camera
	store    store.Store
	log      *slog.Logger
	use      *usage
	captures Captures
}

// Open implements Settings.
func (s *CameraSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(cameraKind, o, e)
	if err != nil {
		return nil, err
	}
	if e.Pictures == nil {
		return nil, errors.New("its pictures need the web server, which this process was started without: start it again")
	}
	pictures, err := e.Pictures()
	if err != nil {
		return nil, err
	}
	return newCamera(out, camera.New(e.Board, s.Device, s.opts(), e.Log), pictures, e.Log), nil
}

func newCamera(o outlet, cam *camera.Camera, st store.Store, log *slog.Logger) *Camera {
	return &Camera{outlet: o, camera: cam, store: st, log: log, use: newUsage()}
}

// Close releases the camera.
func (c *Camera) Close() error { return c.camera.Close() }

// Attach implements Thing. One capture is in flight. Commands that come meanwhile
// are answered together by one more picture, which is younger than all of them: a
// storm of commands is no reason for a storm of pictures.
func (c *Camera) Attach() (func(), error) {
	taking := job{log: c.log}
	take := func(ctx context.Context) {
		asked, uri := c.captures.Begin(), ""
		defer func() { c.captures.End(uri, time.Now()) }()
		uri, err := c.capture(ctx, asked...)
		if err != nil && ctx.Err() == nil {
			c.use.went(err)
			c.log.Error("no picture", "thing", c.thing, "err", err)
		}
	}
	cancel, err := c.link.Subscribe(c.topics["capture"], 1, func(ctx context.Context, m mqttlink.Message) {
		if m.Retain {
			c.log.Warn("retained capture command ignored; delete it from the broker with an empty retained message", "thing", c.thing, "topic", m.Topic)
			return
		}
		switch wanted, again := c.captures.Command(m, time.Now()); {
		case wanted:
			taking.again(ctx, take)
		case again != nil:
			c.log.Debug("capture command delivered again; answered as before", "thing", c.thing)
			c.repeat(ctx, again)
		}
	})
	if err != nil {
		return nil, err
	}
	return func() { cancel(); taking.stop() }, nil
}

// capture takes a picture, stores it, and publishes where: once for each of the tokens
// that it answers; "" is none.
func (c *Camera) capture(ctx context.Context, tokens ...string) (uri string, err error) {
	began := time.Now()
	p, err := c.camera.Capture(ctx)
	if err != nil {
		return "", err
	}
	if uri, err = c.store.Put(ctx, p.JPEG, p.Taken); err != nil {
		return "", fmt.Errorf("storing the picture: %w", err)
	}
	c.use.went(nil)
	c.log.Debug("picture taken", "thing", c.thing, "size", p.Size, "bytes", len(p.JPEG), "took", time.Since(began))
	for _, token := range tokens {
		if err := c.finished(ctx, uri, token); err != nil {
			return uri, err
		}
	}
	return uri, nil
}

// finished announces a picture.
func (c *Camera) finished(ctx context.Context, uri, token string) error {
	if err := c.report(ctx, finishedRole, finishedRole, time.Time{}, finishedRecord(uri, token)); !mqttlink.Accepted(err) {
		return err
	}
	return nil
}

// repeat announces a picture again. The first answer is in the outbox, or has been
// delivered from there; a client that repeats a command must not fill it with more of them.
func (c *Camera) repeat(ctx context.Context, a *Answered) {
	m := c.message(finishedRole, time.Time{}, finishedRecord(a.URI, a.Token).with(c.extra))
	m.QoS, m.Alarm, m.Unqueued = 0, false, true
	if err := c.link.Publish(ctx, m); !mqttlink.Accepted(err) && ctx.Err() == nil {
		c.log.Debug("picture not announced again", "thing", c.thing, "err", err)
	}
}

// Watch implements [device.Actor]: a camera has no events.
func (c *Camera) Watch(event string, _ func(map[string]any, time.Time)) (func(), error) {
	return nil, c.noEvent(event)
}

// Call implements [device.Actor] for flows of this process: the action is capture.
// The command does not pass the broker, the answer is published there all the same.
func (c *Camera) Call(ctx context.Context, action string, _ map[string]any) (map[string]any, error) {
	if strings.EqualFold(action, ActionPicture) {
		return c.picture(ctx)
	}
	if !strings.EqualFold(action, "capture") {
		return nil, c.noAction(action)
	}
	uri, err := c.capture(ctx, "")
	if err != nil {
		if ctx.Err() == nil {
			c.use.went(err) // the flow logs it
		}
		return nil, err
	}
	return map[string]any{"lastClickedImage": uri}, nil
}

// Snapshot takes a picture that is kept nowhere and announced to no one.
func (c *Camera) Snapshot(ctx context.Context) ([]byte, error) {
	p, err := c.camera.Capture(ctx)
	if err != nil {
		return nil, err
	}
	return p.JPEG, nil
}

// Run implements Thing: it looks whether the camera is there. One that is there
// and gives no pictures does not work until it gives one.
func (c *Camera) Run(ctx context.Context, report func(error)) error {
	check := func(ctx context.Context) error {
		err := c.camera.Check(ctx)
		if last := c.use.last(); err == nil && !errors.Is(last, camera.ErrNoFrame) && !errors.Is(last, camera.ErrCorrupt) {
			c.use.forget()
		}
		return err
	}
	return keepChecking(ctx, check, c.use, c.loop(""), report)
}

// Part implements Part.
func (c *Camera) Part() (name, action string) { return c.camera.Device(), ActionPicture }

// picture is the action of that name.
func (c *Camera) picture(ctx context.Context) (map[string]any, error) {
	p, err := c.camera.Capture(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"jpeg":  base64.StdEncoding.EncodeToString(p.JPEG),
		"width": p.Size.X, "height": p.Size.Y, "taken": p.Taken.UTC().Format(time.RFC3339Nano),
	}, nil
}
