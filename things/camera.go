package things

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pithings/camera"
	"pithings/camera/store"
	"pithings/mqttlink"
)

// CameraTopics are the topics of a camera.
//
//	capture   in   anything, usually {}             take a picture
//	               {"token": "…"}                   and say in the answer for whom
//	finished  out  {"lastClickedImage": "https://…"} where it can be fetched
//	               {"lastClickedImage": "https://…", "token": "…"}
//
// A capture that fails is answered by nothing at all: no payload for it was
// ever defined, and one without lastClickedImage could be taken for success.
//
// A token, of up to 128 bytes, is for those who share a camera: an answer has one
// only if its command had. A command whose token was answered lately was delivered
// twice; it gets the same answer again and no second picture. Without a token that
// is known only if the broker marks the command as a redelivery (MQTT 3.1.1 section
// 3.3.1.1) and the answer is younger than ten seconds.
var CameraTopics = Topics{
	"capture":  "{thing}/capture",
	"finished": "{thing}/capture/finished",
}

// CameraModel describes a camera of ours to flows. Its action is capture, whose
// answer holds lastClickedImage.
func CameraModel(topics Topics) Model {
	return Model{Actions: map[string]Action{
		"capture": {Topic: topics["capture"], Request: WriteObject, Answer: topics["finished"], Read: ReadFinished,
			Token: "token", Echoes: true, Unique: true},
	}}
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

func finishedPayload(uri, token string) []byte {
	o := new(object).string("lastClickedImage", uri)
	if token != "" {
		o.string("token", token)
	}
	return o.bytes()
}

// CameraOptions name a camera's topics.
type CameraOptions struct {
	Thing  string
	Topics map[string]string // overrides of CameraTopics
	Extra  Extra
}

// Camera is a camera on MQTT.
type Camera struct {
	CameraOptions
	topics Topics
	link   mqttlink.Client
	camera *camera.Camera
	store  store.Store
	log    *slog.Logger
	use    *usage

	captures captures
}

// NewCamera returns a thing that takes pictures with cam and puts them into st.
func NewCamera(o CameraOptions, cam *camera.Camera, st store.Store, link mqttlink.Client, log *slog.Logger) (*Camera, error) {
	topics, err := Expand(CameraTopics, o.Thing, o.Topics)
	if err != nil {
		return nil, err
	}
	return &Camera{CameraOptions: o, topics: topics, link: link, camera: cam, store: st, log: log,
		use: newUsage()}, nil
}

// Name implements Thing.
func (c *Camera) Name() string { return c.Thing }

// Attach implements Thing. One capture is in flight. Commands that come meanwhile
// are answered together by one more picture, which is younger than all of them: a
// storm of commands is no reason for a storm of pictures.
func (c *Camera) Attach() (func(), error) {
	taking := job{log: c.log}
	take := func(ctx context.Context) {
		asked, uri := c.captures.begin(), ""
		defer func() { c.captures.end(uri) }()
		uri, err := c.capture(ctx, asked...)
		if err != nil && ctx.Err() == nil {
			if c.use.went(err) {
				c.log.Error("no picture; further failures of this kind are not logged", "thing", c.Thing, "err", err)
			}
		}
	}
	cancel, err := c.link.Subscribe(c.topics["capture"], 1, func(ctx context.Context, m mqttlink.Message) {
		if m.Retain {
			c.log.Warn("retained capture command ignored; delete it from the broker with an empty retained message", "thing", c.Thing, "topic", m.Topic)
			return
		}
		switch wanted, again := c.captures.command(m); {
		case wanted:
			taking.again(ctx, take)
		case again != nil:
			c.log.Debug("capture command delivered again; answered as before", "thing", c.Thing)
			if err := c.finished(ctx, again.uri, again.token); err != nil && ctx.Err() == nil {
				c.log.Error("picture not announced again", "thing", c.Thing, "err", err)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return func() { cancel(); taking.stop() }, nil
}

// capture takes a picture, stores it, and tells where: once for each of the tokens
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
	c.log.Debug("picture taken", "thing", c.Thing, "size", p.Size, "bytes", len(p.JPEG), "took", time.Since(began))
	for _, token := range tokens {
		if err := c.finished(ctx, uri, token); err != nil {
			return uri, err
		}
	}
	return uri, nil
}

// finished announces a picture.
func (c *Camera) finished(ctx context.Context, uri, token string) error {
	err := c.link.Publish(ctx, mqttlink.Message{Topic: c.topics["finished"], QoS: 1, Alarm: true, Payload: c.Extra.add(finishedPayload(uri, token))})
	if mqttlink.Accepted(err) {
		return nil
	}
	return err
}

// Watch implements flow.Device: a camera has no events.
func (c *Camera) Watch(event string, _ func(map[string]any, time.Time)) (func(), error) {
	return nil, fmt.Errorf("thing %s has no event %q", c.Thing, event)
}

// Call implements flow.Device for flows of this process: the action is capture.
// The command does not pass the broker, the answer is told there all the same.
func (c *Camera) Call(ctx context.Context, action string, _ map[string]any) (map[string]any, error) {
	if !strings.EqualFold(action, "capture") {
		return nil, fmt.Errorf("thing %s has no action %q", c.Thing, action)
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
	return keepChecking(ctx, check, c.use, report)
}
