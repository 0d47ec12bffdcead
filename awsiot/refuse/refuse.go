// Package refuse says why this program takes neither secure tunnels nor streams of AWS IoT: what
// arrives of them is refused with a sentence in the log, so that who opens a tunnel or makes
// an update for a device finds out why nothing happens.
//
//	$aws/things/THING/tunnels/notify       {"clientAccessToken":"…","clientMode":"destination","region":"…","services":["SSH"]}
//	$aws/things/THING/streams/ID/data/json a block of firmware
//
// It implements what "Secure tunneling" and "MQTT-based file delivery" of the AWS IoT Core
// developer guide say of a device, as far as that is needed for a refusal. An access token is
// never logged.
package refuse

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"

	"pithings/api"
	"pithings/conf"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// The sentences.
const (
	Tunnels = "secure tunnels are not supported: a tunnel opens this device to others without its administrator; use SSH or a VPN that is set up on the device"
	Streams = "firmware by streams (MQTT-based file delivery, FreeRTOS OTA) is not supported: updates of pithings are signed packages; use apt"
)

// Settings are what a configuration says of refusals.
type Settings struct {
	Enabled bool `json:"enabled" default:"false" change:"local" jsonschema:"whether secure tunnels that are opened for this device are refused in the log; its policy has to allow it to subscribe to its topic tunnels/notify, or AWS ends the connection"`
}

// TunnelTopic is where a device is notified of a tunnel.
func TunnelTopic(thing string) string { return "$aws/things/" + thing + "/tunnels/notify" }

// Topic returns the sentence for messages on a topic of the services that are not supported, or
// "".
func Topic(name string) string {
	rest, ok := strings.CutPrefix(name, "$aws/things/")
	levels := strings.Split(rest, "/")
	switch {
	case !ok || len(levels) < 3 || levels[0] == "":
	case levels[1] == "tunnels":
		return Tunnels
	case levels[1] == "streams":
		return Streams
	}
	return ""
}

// maxDocument is the longest job document of AWS, in bytes.
const maxDocument = 32 << 10

// Job returns the sentence for a job document that asks for an update by streams, as the
// FreeRTOS OTA service makes it, or for a tunnel; or "".
func Job(document []byte) string {
	var d map[string]json.RawMessage
	if len(document) > maxDocument || json.Unmarshal(document, &d) != nil {
		return ""
	}
	for _, key := range []string{"afr_ota", "streamname", "streamId"} {
		if _, ok := d[key]; ok {
			return Streams
		}
	}
	if _, ok := d["clientAccessToken"]; ok {
		return Tunnels
	}
	return ""
}

// notice is what AWS says of a tunnel, but for its token.
type notice struct {
	Mode     string   `json:"clientMode"`
	Region   string   `json:"region"`
	Services []string `json:"services"`
}

// maxNotice bounds a notice, in bytes, and maxServices the services of one that are logged.
const (
	maxNotice   = 16 << 10
	maxServices = 5
)

// parseNotice reads what is logged of a tunnel.
func parseNotice(payload []byte) (n notice, ok bool) {
	if len(payload) > maxNotice || json.Unmarshal(payload, &n) != nil {
		return notice{}, false
	}
	n.Services = n.Services[:min(len(n.Services), maxServices)]
	return n, true
}

// Options are what a Service works with.
type Options struct {
	Settings Settings
	Thing    string // the name at AWS IoT, which is the client id
	Link     mqttlink.Client
	Log      *slog.Logger
}

// Service refuses the tunnels of a device for as long as the agent runs.
type Service struct {
	o     Options
	quiet *quietlog.Repeats

	mu sync.Mutex
	n  int
}

// New returns a service; Run runs it.
func New(o Options) *Service { return &Service{o: o, quiet: quietlog.NewRepeats(o.Log)} }

// Name is the service's name.
func (s *Service) Name() string { return "refuse" }

// Run refuses until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.Settings.Enabled {
		return nil
	}
	cancel, err := s.o.Link.Subscribe(TunnelTopic(s.o.Thing), 1, func(_ context.Context, m mqttlink.Message) { s.refuse(m) })
	if err != nil {
		return err
	}
	defer cancel()
	<-ctx.Done()
	return nil
}

func (s *Service) refuse(m mqttlink.Message) {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
	n, ok := parseNotice(m.Payload)
	args := []any{"reason", Tunnels}
	if ok {
		args = append(args, "services", quietlog.OneLine(conf.Quote(strings.Join(n.Services, " "))), "region", quietlog.Short(n.Region), "mode", quietlog.Short(n.Mode))
	}
	s.quiet.Say(slog.LevelWarn, "tunnel", "tunnel refused", args...)
}

// Collect adds the metrics.
func (s *Service) Collect(m *api.Metrics) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Family("pithings_tunnels_refused_total", "counter", "Secure tunnels of AWS IoT that were opened for this device and refused.")
	m.Sample(float64(s.n))
}

// Health adds what /healthz shows.
func (s *Service) Health(add func(key string, value any)) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	add("refuse", map[string]any{"tunnels": s.n})
}
