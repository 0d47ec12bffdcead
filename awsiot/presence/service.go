package presence

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// Settings are what a configuration says of presence.
type Settings struct {
	Enabled bool `json:"enabled" default:"false" change:"local" jsonschema:"whether AWS IoT's events about this device's own connection are read, which say why it has ended a session, and whether another certificate has connected under the same client id; its policy has to allow it to subscribe to $aws/events/presence/+/CLIENT ID, or AWS ends the connection"`
}

// Options are what a Service works with.
type Options struct {
	Settings Settings
	Client   string // the client id
	// Principal returns what this device logs in with now: the SHA-256 of its certificate, in
	// hexadecimal; "" if it is not known. Nil: it never is.
	Principal func() string
	Link      mqttlink.Client
	Log       *slog.Logger
}

// Service reads the events of the device's own connection: AWS ends a session without a word, and
// gives the reason here, to the session that follows.
type Service struct {
	o     Options
	quiet *quietlog.Repeats

	mu     sync.Mutex
	own    []string // principals of this device, the newest last
	last   Event    // the newest end; the zero value: there was none
	ends   map[string]int
	rivals int
}

// New returns a service; Run runs it.
func New(o Options) *Service {
	s := &Service{o: o, quiet: quietlog.NewRepeats(o.Log), ends: map[string]int{}}
	s.login()
	return s
}

// maxOwn is how many certificates of its own a device remembers.
const maxOwn = 4

// login notes with which certificate this device logs in: events of a session arrive after the
// certificate has been renewed, too.
func (s *Service) login() {
	if s.o.Principal == nil {
		return
	}
	now := strings.ToLower(s.o.Principal())
	if now == "" || slices.Contains(s.own, now) {
		return
	}
	s.own = append(s.own, now)
	s.own = s.own[max(0, len(s.own)-maxOwn):]
}

// reasons are AWS's words for why a session has ended, and what they say to a reader of the log.
var reasons = map[string]string{
	"AUTH_ERROR":                   "the login was not accepted",
	"CLIENT_ERROR":                 "the client did something that AWS does not allow, such as a topic that is too long",
	"CLIENT_INITIATED_DISCONNECT":  "the client ended it",
	"CONNECTION_LOST":              "the network connection was lost",
	"CUSTOMAUTH_TTL_EXPIRATION":    "the time of its custom login was over",
	"DUPLICATE_CLIENTID":           "a client connected with the same client id, this one again or another",
	"FORBIDDEN_ACCESS":             "the policy does not allow a topic that was published to or subscribed to",
	"MQTT_KEEP_ALIVE_TIMEOUT":      "nothing was heard of the client for longer than its keepalive",
	"SERVER_ERROR":                 "the server has failed",
	"SERVER_INITIATED_DISCONNECT":  "the server ended it",
	"THROTTLED":                    "too many requests",
	"WEBSOCKET_TTL_EXPIRATION":     "a WebSocket lasts for a day at most",
	"API_INITIATED_DISCONNECT":     "an administrator ended it",
	"CUSTOMAUTH_CREDENTIALS_ERROR": "its custom login was not accepted",
}

// other is the reason of metrics for one that is not known.
const other = "OTHER"

// Run reads until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	if !s.o.Settings.Enabled {
		return nil
	}
	cancel, err := Watch(s.o.Link, s.o.Client, s.see, func(err error) {
		s.quiet.Say(slog.LevelWarn, "event", "event of presence is not read", "err", err)
	})
	if err != nil {
		return err
	}
	defer cancel()
	<-ctx.Done()
	return nil
}

// see takes an event of this client id.
func (s *Service) see(e Event) {
	reason := e.Reason
	if _, known := reasons[reason]; !known {
		reason = other
	}
	s.mu.Lock()
	s.login()
	rival := e.Principal != "" && len(s.own) > 0 && !slices.Contains(s.own, strings.ToLower(e.Principal))
	repeated := !e.Connected && e.Version == s.last.Version && e.At.Equal(s.last.At) && e.Session == s.last.Session
	if rival && !repeated {
		s.rivals++
	}
	if !e.Connected && !repeated {
		s.ends[reason]++
		if e.Newer(s.last) {
			s.last = e
		}
	}
	s.mu.Unlock()
	switch {
	case repeated:
	case rival:
		s.quiet.Say(slog.LevelWarn, "rival", "another certificate connects with this client id: the broker keeps one connection for each",
			"client_id", s.o.Client, "principal", quietlog.Short(quietlog.OneLine(e.Principal)), "from", address(e))
	case !e.Connected && !e.ByClient:
		s.quiet.Say(slog.LevelInfo, reason, "an earlier session was ended by the broker", "reason", why(e.Reason), "at", e.At.UTC().Format(time.RFC3339))
	}
}

// why is a reason as a sentence, with AWS's word.
func why(reason string) string {
	word := quietlog.Short(quietlog.OneLine(reason))
	if text, ok := reasons[reason]; ok {
		return fmt.Sprintf("%s (%s)", text, word)
	}
	return word
}

// address is where a client has connected from; "" if the event has none.
func address(e Event) string {
	if !e.Address.IsValid() {
		return ""
	}
	return e.Address.String()
}

// Health adds what /healthz shows.
func (s *Service) Health(add func(key string, value any)) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := map[string]any{"rivals": s.rivals}
	if !s.last.At.IsZero() {
		shown["ended"], shown["reason"] = s.last.At.UTC().Format(time.RFC3339), why(s.last.Reason)
	}
	add("presence", shown)
}

// Collect adds the metrics.
func (s *Service) Collect(m *api.Metrics) {
	if !s.o.Settings.Enabled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Family("pithings_sessions_ended_total", "counter", "Sessions of this device that AWS IoT has reported the end of, by its reason.")
	for _, reason := range slices.Sorted(maps.Keys(s.ends)) {
		m.Sample(float64(s.ends[reason]), "reason", reason)
	}
	m.Family("pithings_client_id_rivals_total", "counter", "Connections under the client id of this device with another certificate.")
	m.Sample(float64(s.rivals))
}
