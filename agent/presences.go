package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"

	"pithings/agent/config"
	lifecycle "pithings/awsiot/presence"
	"pithings/awsiot/refuse"
	"pithings/mqttlink/certs"
)

// presences is what reads AWS IoT's events about the shared connection.
type presences struct{ links *links }

// settings are those of optional.
func (presences) settings(c *config.Config) (any, bool) {
	return c.AWSIoT.Presence, c.AWSIoT.Presence.Enabled
}

func (s presences) open(c *config.Config, log *slog.Logger) (opened, error) {
	link, id := s.links.managing()
	return lifecycle.New(lifecycle.Options{Settings: c.AWSIoT.Presence, Client: id, Principal: func() string { return principal(&c.MQTT) }, Link: link, Log: log}), nil
}

// principal is AWS's name for a connection's certificate; "" without a certificate, or with one
// that cannot be read now.
func principal(m *config.MQTT) string {
	if m.Cert == "" {
		return ""
	}
	pair, err := certs.ReadPair(m.Cert, m.Key)
	if err != nil {
		return "" // the connection says so
	}
	sum := sha256.Sum256(pair.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// refusals is what refuses tunnels.
type refusals struct{ links *links }

// settings are those of optional.
func (refusals) settings(c *config.Config) (any, bool) {
	return c.AWSIoT.Refuse, c.AWSIoT.Refuse.Enabled
}

func (s refusals) open(c *config.Config, log *slog.Logger) (opened, error) {
	link, id := s.links.managing()
	return refuse.New(refuse.Options{Settings: c.AWSIoT.Refuse, Thing: id, Link: link, Log: log}), nil
}
