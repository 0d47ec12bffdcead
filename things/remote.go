package things

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pithings/mqttlink"
)

// Remote is a thing as a flow uses it through the broker: every event is a
// message that the thing sent, every action a message to it. It is the broker
// carrier of package flow, whose Device it implements.
type Remote struct {
	thing  string
	topics Topics
	link   mqttlink.Client
	log    *slog.Logger

	turn    chan struct{} // holds one token: one action that has an answer is in flight
	mu      sync.Mutex
	waiting chan map[string]any // where the answer of the action in flight goes
	detach  func()
}

// NewRemoteMotion returns the motion sensor of that name. Its event is
// StateChanged with isMotionDetected.
func NewRemoteMotion(thing string, topics map[string]string, link mqttlink.Client, log *slog.Logger) (*Remote, error) {
	return newRemote(MotionTopics, thing, topics, link, log)
}

// NewRemoteCamera returns the camera of that name. Its action is capture, whose
// answer holds lastClickedImage. Answers carry no sign of what they answer, so
// one capture is in flight at a time, and one that comes after its time-out is
// told in the log and attributed to nobody, unless the next capture is already
// waiting: then it passes for that one's.
func NewRemoteCamera(thing string, topics map[string]string, link mqttlink.Client, log *slog.Logger) (*Remote, error) {
	r, err := newRemote(CameraTopics, thing, topics, link, log)
	if err != nil {
		return nil, err
	}
	r.detach, err = link.Subscribe(r.topics["finished"], 1, r.finished)
	return r, err
}

// NewRemoteScreen returns the screen of that name. Its action is display with
// imageUri; it has no answer, and is done when the command is published.
func NewRemoteScreen(thing string, topics map[string]string, link mqttlink.Client, log *slog.Logger) (*Remote, error) {
	return newRemote(ScreenTopics, thing, topics, link, log)
}

func newRemote(templates Topics, thing string, changed map[string]string, link mqttlink.Client, log *slog.Logger) (*Remote, error) {
	topics, err := Expand(templates, thing, changed)
	if err != nil {
		return nil, err
	}
	r := &Remote{thing: thing, topics: topics, link: link, log: log, turn: make(chan struct{}, 1), detach: func() {}}
	r.turn <- struct{}{}
	return r, nil
}

// Close ends the remote's subscriptions.
func (r *Remote) Close() error {
	r.detach()
	return nil
}

// Watch implements flow.Device. The payload does not say when the event happened.
func (r *Remote) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	topic, ok := r.topics["motion"]
	if !ok || event != "StateChanged" {
		return nil, fmt.Errorf("thing %s has no event %q", r.thing, event)
	}
	return r.link.Subscribe(topic, 1, func(_ context.Context, m mqttlink.Message) {
		if m.Retain {
			return // what was the case once is no event
		}
		var state motionState
		if err := decode(m.Payload, &state); err != nil {
			r.log.Warn("event ignored", "thing", r.thing, "topic", m.Topic, "err", err)
			return
		}
		if state.IsMotionDetected == nil {
			r.log.Warn("event ignored: it has no isMotionDetected", "thing", r.thing, "topic", m.Topic)
			return
		}
		fn(map[string]any{"isMotionDetected": *state.IsMotionDetected}, time.Time{})
	})
}

// Call implements flow.Device.
func (r *Remote) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	switch {
	case action == "capture" && r.topics["capture"] != "":
		return r.capture(ctx)
	case action == "display" && r.topics["display"] != "":
		uri, ok := input["imageUri"].(string)
		if !ok {
			return nil, fmt.Errorf("display on %s needs imageUri, a string", r.thing)
		}
		return nil, r.command(ctx, "display", displayPayload(uri))
	}
	return nil, fmt.Errorf("thing %s has no action %q", r.thing, action)
}

func (r *Remote) capture(ctx context.Context) (map[string]any, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	answer := make(chan map[string]any, 1)
	r.await(answer)
	defer r.await(nil)
	if err := r.command(ctx, "capture", []byte("{}")); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// command sends one. It lives as long as somebody waits for its effect: a picture
// asked for before the network failed is of no use an hour later.
func (r *Remote) command(ctx context.Context, role string, payload []byte) error {
	m := mqttlink.Message{Topic: r.topics[role], QoS: 1, Payload: payload}
	if deadline, ok := ctx.Deadline(); ok {
		m.Life = max(time.Until(deadline), time.Millisecond)
	}
	if err := r.link.Publish(ctx, m); !mqttlink.Accepted(err) {
		return err
	}
	return nil
}

func (r *Remote) await(answer chan map[string]any) {
	r.mu.Lock()
	r.waiting = answer
	r.mu.Unlock()
}

func (r *Remote) finished(_ context.Context, m mqttlink.Message) {
	values, err := finishedValues(m.Payload)
	if err != nil {
		r.log.Warn("answer ignored", "thing", r.thing, "topic", m.Topic, "err", err)
		return
	}
	var answer chan map[string]any
	if !m.Retain {
		r.mu.Lock()
		answer, r.waiting = r.waiting, nil
		r.mu.Unlock()
	}
	if answer == nil {
		r.log.Debug("answer that nobody waits for", "thing", r.thing, "topic", m.Topic)
		return
	}
	answer <- values
}

// finishedValues reads a camera's answer with all its keys (others send
// s3BucketName and s3ItemName too).
func finishedValues(payload []byte) (map[string]any, error) {
	var state finishedState
	if err := decode(payload, &state); err != nil {
		return nil, err
	}
	uri := state.LastClickedImage
	if uri == "" {
		uri = state.ImageURI
	}
	if uri == "" {
		return nil, errors.New("it has no lastClickedImage")
	}
	var values map[string]any
	if err := json.Unmarshal(payload, &values); err != nil {
		return nil, err
	}
	values["lastClickedImage"] = uri
	return values, nil
}
