package things

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pithings/display"
	"pithings/hw"
	"pithings/mqttlink"
)

// ScreenTopics are the topics of a screen.
//
//	display  in  {"imageUri":"https://…"}  show that picture; blank or absent: clear
//	end      in  anything                  clear
var ScreenTopics = Topics{
	"display": "{thing}/display",
	"end":     "{thing}/end",
}

// displayCommand is the payload of "display". The name differs from the action's
// parameter, imageUrl, and has always done so.
type displayCommand struct {
	ImageURI *string `json:"imageUri"`
}

// displayPayload is written without blanks, as the flow of the cloud service did.
func displayPayload(uri string) []byte {
	var o object
	o.quote(uri)
	return []byte(`{"imageUri":` + o.String() + `}`)
}

// ScreenModel describes a screen to flows. Its actions are display with imageUri,
// and end. They have no answer.
func ScreenModel(topics Topics) Model {
	return Model{Actions: map[string]Action{
		"display": {Topic: topics["display"], Request: func(input map[string]any) ([]byte, error) {
			uri, ok := input["imageUri"].(string)
			if !ok {
				return nil, errors.New("it needs imageUri, a string")
			}
			return displayPayload(uri), nil
		}},
		"end": {Topic: topics["end"], Request: func(map[string]any) ([]byte, error) { return []byte("{}"), nil }},
	}}
}

// ScreenOptions name a screen's topics.
type ScreenOptions struct {
	Thing  string
	Topics map[string]string // overrides of ScreenTopics
}

// Screen is a screen on MQTT.
type Screen struct {
	ScreenOptions
	topics Topics
	link   mqttlink.Client
	screen *display.Screen
	log    *slog.Logger
	use    *usage
}

// NewScreen returns a thing that shows pictures on s.
func NewScreen(o ScreenOptions, s *display.Screen, link mqttlink.Client, log *slog.Logger) (*Screen, error) {
	topics, err := Expand(ScreenTopics, o.Thing, o.Topics)
	if err != nil {
		return nil, err
	}
	return &Screen{o, topics, link, s, log, newUsage()}, nil
}

// Name implements Thing.
func (s *Screen) Name() string { return s.Thing }

// Attach implements Thing. The command that came last wins: it ends the fetch of
// the picture before it. Both commands come through one queue, so that an end
// behind a display cannot overtake it.
func (s *Screen) Attach() (func(), error) {
	shown := job{log: s.log}
	topics := []string{s.topics["display"], s.topics["end"]}
	cancel, err := s.link.SubscribeAll(topics, 1, func(ctx context.Context, m mqttlink.Message) {
		if m.Topic == s.topics["end"] {
			shown.replace(ctx, func(ctx context.Context) { s.did(ctx, "screen not cleared", s.screen.Clear(ctx)) })
			return
		}
		var c displayCommand
		if err := decode(m.Payload, &c); err != nil {
			s.log.Error("display command ignored", "thing", s.Thing, "topic", m.Topic, "err", err)
			return
		}
		uri := ""
		if c.ImageURI != nil {
			uri = strings.TrimSpace(*c.ImageURI)
		}
		shown.replace(ctx, func(ctx context.Context) { s.did(ctx, "picture not shown", s.screen.Show(ctx, uri)) })
	})
	if err != nil {
		return nil, err
	}
	return func() { cancel(); shown.stop() }, nil
}

// did logs a failure, unless a newer command is its cause, or it is the same as
// that of the command before.
func (s *Screen) did(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && s.used(err) {
		s.log.Error(what, "thing", s.Thing, "err", err)
	}
}

// used notes how a command went. A picture that cannot be fetched or read is
// its sender's fault and says nothing about the screen.
func (s *Screen) used(err error) (news bool) {
	if err != nil && !errors.Is(err, hw.ErrGone) && !errors.Is(err, hw.ErrNotFound) &&
		!errors.Is(err, hw.ErrPermission) && !errors.Is(err, hw.ErrBusy) {
		s.use.went(nil)
		return true
	}
	return s.use.went(err)
}

// Watch implements flow.Device: a screen has no events.
func (s *Screen) Watch(event string, _ func(map[string]any, time.Time)) (func(), error) {
	return nil, fmt.Errorf("thing %s has no event %q", s.Thing, event)
}

// Call implements flow.Device for flows of this process. The actions are display
// with imageUri, and end. Unlike the commands at the broker they are done when the
// screen shows it.
func (s *Screen) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	uri, ok := input["imageUri"].(string)
	var err error
	switch {
	case strings.EqualFold(action, "end"):
		err = s.screen.Clear(ctx)
	case strings.EqualFold(action, "display") && ok:
		err = s.screen.Show(ctx, strings.TrimSpace(uri))
	default:
		return nil, fmt.Errorf("thing %s has the actions display with imageUri, a string, and end", s.Thing)
	}
	if ctx.Err() == nil {
		s.used(err)
	}
	return nil, err
}

// Run implements Thing: it opens the screen and looks whether it is still there.
// One that is there works, whatever the last command met.
func (s *Screen) Run(ctx context.Context, report func(error)) error {
	check := func(ctx context.Context) error {
		err := s.screen.Check(ctx)
		if err == nil {
			s.use.forget()
		}
		return err
	}
	return keepChecking(ctx, check, s.use, report)
}
