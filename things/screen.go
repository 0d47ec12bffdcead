package things

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/display"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
)

// screenKind is a framebuffer. Its topics and payloads are those of the AWS IoT Things Graph
// example devices.
var screenKind = &Kind{
	Name: "screen", Doc: "framebuffer screen", Example: "TG_Screen",
	Topics: []Topic{
		{Role: "display", Template: "{thing}/display", In: true, QoS: 1, Payloads: []Payload{
			{`{"imageUri":"https://…"}`, "show that picture; blank or absent: clear"},
		}},
		{Role: "end", Template: "{thing}/end", In: true, QoS: 1, Payloads: []Payload{{`{}`, "clear; any payload does"}}},
	},
	Nodes:    []hw.Nodes{hw.Framebuffers},
	New:      func() Settings { return new(ScreenSettings) },
	Usual:    func() (string, Settings) { return "screen", &ScreenSettings{Device: "/dev/fb0"} },
	Discover: discoverScreens,
}

// ScreenSettings are what a configuration says of a screen.
type ScreenSettings struct {
	Device     string        `json:"device" default:"/dev/fb0" part:"file" change:"local" jsonschema:"framebuffer; mock simulates it"`
	ClearAfter conf.Duration `json:"clear_after" default:"10s" min:"0s" max:"24h" change:"afar" jsonschema:"how long a picture stays; 0: until the next"`
	Fit        string        `json:"fit" default:"contain" enum:"contain,cover" change:"afar" jsonschema:"contain: whole picture with bars; cover: whole screen, picture cut"`
	Rotate     int           `json:"rotate" default:"0" enum:"0,90,180,270" change:"afar" jsonschema:"degrees clockwise"`
	Fetch      Fetch         `json:"fetch" jsonschema:"what pictures may be fetched"`
}

// Fetch bounds what a screen fetches. Link-local, multicast and unspecified
// addresses are refused whatever the lists say.
type Fetch struct {
	MaxBytes   conf.Bytes    `json:"max_bytes" default:"16MiB" min:"1KiB" max:"256MiB" change:"afar" jsonschema:"largest file"`
	Timeout    conf.Duration `json:"timeout" default:"15s" min:"100ms" max:"10m" change:"afar" jsonschema:"time for a fetch"`
	AllowFiles []string      `json:"allow_files" expand:"path" form:"folder" change:"local" jsonschema:"folders from which file: pictures may come; none: no file: pictures"`
	AllowNets  []string      `json:"allow_nets" form:"network" change:"local" jsonschema:"networks (CIDR) from which pictures may come; none: all that are not denied, but of this machine itself only our own cameras' pictures"`
	DenyNets   []string      `json:"deny_nets" form:"network" change:"local" jsonschema:"networks (CIDR) from which no picture may come"`
}

// Part implements Settings.
func (s *ScreenSettings) Part() (key, name string) { return "device", s.Device }

// Simulate implements Settings.
func (s *ScreenSettings) Simulate() {}

// Probe implements Settings.
func (s *ScreenSettings) Probe(_ context.Context, p *probe.Prober, part string) []probe.Result {
	return p.Screen(part, s.Device)
}

// discoverScreens returns the framebuffers that can be drawn on.
func discoverScreens(c *probe.Connected) (all []Candidate) {
	for _, f := range c.Framebuffers {
		if f.Err != nil {
			continue
		}
		s := new(ScreenSettings)
		conf.Fill(s)
		s.Device = f.Node
		all = append(all, Candidate{Part: f.Node, Name: "screen", Settings: s})
	}
	return all
}

// Describe implements Settings. The actions are display with imageUri, and end. They have
// no answer. The name of the action's parameter, imageUrl, differs from the payload's
// key, imageUri, and has always done so.
func (s *ScreenSettings) Describe(t Topics) Description {
	return Description{
		Model: device.Model{Actions: map[string]device.ActionModel{
			"display": {Topic: t["display"], Params: map[string]device.ValueType{"imageUrl": device.StringType}, Request: map[string]any{"imageUri": "${imageUrl}"},
				Inputs: map[string]device.Input{"imageUrl": {Doc: "address of the picture; empty: clear the screen", Required: true, Format: device.AddressFormat}}},
			"end": {Topic: t["end"]},
		}},
		Wire: Model{Actions: map[string]Action{
			"display": {Topic: t["display"], Request: func(input map[string]any) ([]byte, error) {
				uri, ok := input["imageUri"].(string)
				if !ok {
					return nil, errors.New("it needs imageUri, a string")
				}
				return displayPayload(uri), nil
			}},
			"end": {Topic: t["end"], Request: func(map[string]any) ([]byte, error) { return []byte("{}"), nil }},
		}},
	}
}

// opts are the settings in the words of package display.
func (s *ScreenSettings) opts() (display.Opts, error) {
	o := display.Opts{Rotate: s.Rotate, ClearAfter: s.ClearAfter.Duration}
	var err error
	if o.Fit, err = display.ParseFit(s.Fit); err != nil {
		return o, err
	}
	o.Fetch.MaxBytes, o.Fetch.Timeout = int64(s.Fetch.MaxBytes), s.Fetch.Timeout.Duration
	o.Fetch.AllowFolders = s.Fetch.AllowFiles
	if o.Fetch.AllowNets, err = conf.Nets(s.Fetch.AllowNets); err != nil {
		return o, err
	}
	if o.Fetch.DenyNets, err = conf.Nets(s.Fetch.DenyNets); err != nil {
		return o, err
	}
	return o, o.Validate()
}

// displayCommand is the payload of "display".
type displayCommand struct {
	ImageURI *string `json:"imageUri"`
}

// ReadDisplay reads the payload of "display": the address of a picture, or "" to clear the screen.
func ReadDisplay(payload []byte) (uri string, err error) {
	var c displayCommand
	if err := decode(payload, &c); err != nil || c.ImageURI == nil {
		return "", err
	}
	return strings.TrimSpace(*c.ImageURI), nil
}

// displayPayload is written without blanks, as the flow of the cloud service did.
func displayPayload(uri string) []byte {
	var o object
	o.quote(uri)
	return []byte(`{"imageUri":` + o.String() + `}`)
}

// Screen is a screen on MQTT.
type Screen struct {
	outlet
	screen *display.Screen
	log    *slog.Logger
	use    *usage
}

// Open implements Settings.
func (s *ScreenSettings) Open(o Options, e Env) (Thing, error) {
	out, err := newOutlet(screenKind, o, e)
	if err != nil {
		return nil, err
	}
	opts, err := s.opts()
	if err != nil {
		return nil, err
	}
	opts.Fetch.Own, opts.Fetch.OwnCertificate = e.OwnPictures, e.OwnCertificate
	return newScreen(out, display.New(e.Board, s.Device, opts, e.Log), e.Log), nil
}

func newScreen(o outlet, s *display.Screen, log *slog.Logger) *Screen {
	return &Screen{o, s, log, newUsage()}
}

// Close gives the screen back.
func (s *Screen) Close() error { return s.screen.Close() }

// Mirror implements Mirrored.
func (s *Screen) Mirror() http.Handler { return s.screen.Mirror() }

// Attach implements Thing. The command that came last wins: it ends the fetch of
// the picture before it, unless its own address is refused as it stands. Both commands
// come through one queue, so that an end behind a display cannot overtake it.
func (s *Screen) Attach() (func(), error) {
	shown := job{log: s.log}
	topics := []string{s.topics["display"], s.topics["end"]}
	cancel, err := s.link.SubscribeAll(topics, 1, func(ctx context.Context, m mqttlink.Message) {
		if m.Topic == s.topics["end"] {
			shown.replace(ctx, func(ctx context.Context) { s.did(ctx, "screen not cleared", s.screen.Clear(ctx)) })
			return
		}
		uri, err := ReadDisplay(m.Payload)
		if err != nil {
			s.log.Error("display command ignored", "thing", s.thing, "topic", m.Topic, "err", err)
			return
		}
		if err := s.screen.Vet(uri); err != nil {
			s.log.Error(notShown, "thing", s.thing, "err", err)
			return
		}
		shown.replace(ctx, func(ctx context.Context) { s.did(ctx, notShown, s.screen.Show(ctx, uri)) })
	})
	if err != nil {
		return nil, err
	}
	return func() { cancel(); shown.stop() }, nil
}

const notShown = "picture not shown"

// did logs a failure, unless a newer command is its cause.
func (s *Screen) did(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	if s.used(err); err != nil {
		s.log.Error(what, "thing", s.thing, "err", err)
	}
}

// used notes how a command went. A picture that cannot be fetched or read is
// its sender's fault and says nothing about the screen.
func (s *Screen) used(err error) {
	if err != nil && !errors.Is(err, hw.ErrGone) && !errors.Is(err, hw.ErrNotFound) &&
		!errors.Is(err, hw.ErrPermission) && !errors.Is(err, hw.ErrBusy) {
		err = nil
	}
	s.use.went(err)
}

// Watch implements [device.Actor]: a screen has no events.
func (s *Screen) Watch(event string, _ func(map[string]any, time.Time)) (func(), error) {
	return nil, s.noEvent(event)
}

// Call implements [device.Actor] for flows of this process. The actions are display
// with imageUri, and end. Unlike the commands at the broker they are done when the
// screen shows it.
func (s *Screen) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	uri, ok := input["imageUri"].(string)
	var err error
	switch {
	case strings.EqualFold(action, "end"):
		err = s.screen.Clear(ctx)
	case strings.EqualFold(action, "display") && ok:
		if err := s.screen.Vet(uri); err != nil {
			return nil, device.InputError{Err: err}
		}
		err = s.screen.Show(ctx, strings.TrimSpace(uri))
	default:
		return nil, fmt.Errorf("thing %s has the actions display with imageUri, a string, and end", s.thing)
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
	return keepChecking(ctx, check, s.use, s.loop(""), report)
}

// Part implements Part.
func (s *Screen) Part() (name, action string) { return s.screen.Device(), ActionDisplay }
