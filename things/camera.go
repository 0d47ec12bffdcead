package things

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pithings/camera"
	"pithings/camera/store"
	"pithings/mqttlink"
)

// CameraTopics are the topics of a camera.
//
//	capture   in   anything, usually {}             take a picture
//	finished  out  {"lastClickedImage": "https://…"} where it can be fetched
//
// A capture that fails is answered by nothing at all: no payload for it was
// ever defined, and one without lastClickedImage could be taken for success.
var CameraTopics = Topics{
	"capture":  "{thing}/capture",
	"finished": "{thing}/capture/finished",
}

// finishedState is the payload of "finished", leniently read: the guide prints
// imageUri in one place where its devices send lastClickedImage.
type finishedState struct {
	LastClickedImage string `json:"lastClickedImage"`
	ImageURI         string `json:"imageUri"`
}

func finishedPayload(uri string) []byte {
	return new(object).string("lastClickedImage", uri).bytes()
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
// are answered together by one more picture, which is younger than all of them:
// an answer does not say which command it is for, and a storm of commands is no
// reason for a storm of pictures.
func (c *Camera) Attach() (func(), error) {
	taking := job{log: c.log}
	take := func(ctx context.Context) {
		if _, err := c.capture(ctx); err != nil && ctx.Err() == nil {
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
		taking.again(ctx, take)
	})
	if err != nil {
		return nil, err
	}
	return func() { cancel(); taking.stop() }, nil
}

// capture takes a picture, stores it, and tells where.
func (c *Camera) capture(ctx context.Context) (uri string, err error) {
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
	err = c.link.Publish(ctx, mqttlink.Message{Topic: c.topics["finished"], QoS: 1, Alarm: true, Payload: c.Extra.add(finishedPayload(uri))})
	if mqttlink.Accepted(err) {
		err = nil
	}
	return uri, err
}

// Watch implements flow.Device: a camera has no events.
func (c *Camera) Watch(event string, _ func(map[string]any, time.Time)) (func(), error) {
	return nil, fmt.Errorf("thing %s has no event %q", c.Thing, event)
}

// Call implements flow.Device for flows of this process: the action is capture.
// The command does not pass the broker, the answer is told there all the same.
func (c *Camera) Call(ctx context.Context, action string, _ map[string]any) (map[string]any, error) {
	if action != "capture" {
		return nil, fmt.Errorf("thing %s has no action %q", c.Thing, action)
	}
	uri, err := c.capture(ctx)
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
