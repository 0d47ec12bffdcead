package agent

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"pithings/agent/certificate"
	"pithings/agent/config"
	"pithings/api"
	"pithings/mqttlink/clock"
)

// secure encrypts the web server's connections, if the configuration says so.
func (w *webService) secure(current func() *config.Config, state string, clock *clock.Clock, log *slog.Logger) error {
	tls := current().HTTP.TLS
	if !tls.On() {
		return nil
	}
	source, err := certificate.Open(certificate.Options{Cert: tls.Cert, Key: tls.Key, Dir: filepath.Join(state, certificate.Folder),
		Required: func() []string { return ownHosts(&current().HTTP) }, Hosts: ownAddresses, Known: clock.Known, Log: log})
	if err != nil {
		return fmt.Errorf("web server: http.tls: %w", err)
	}
	w.cert = source
	w.Secure(source.Get)
	return nil
}

// ownHosts are the names and addresses by which the web server must be found.
func ownHosts(c *config.HTTP) (all []string) {
	if u, err := url.Parse(c.BaseURL); err == nil && u.Scheme == "https" && u.Hostname() != "" {
		all = append(all, u.Hostname())
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
			all = append(all, host)
		}
	}
	return append(all, api.OwnNames()...)
}

// ownAddresses are those of this machine in its networks, as they are now: one that changes makes no
// other certificate, for people know it by its fingerprint.
func ownAddresses() (all []string) {
	for _, a := range ownAddrs() {
		if a = a.Unmap(); a.IsGlobalUnicast() {
			all = append(all, a.WithZone("").String())
		}
	}
	return all
}

// scheme is that of the web server's URLs.
func (w *webService) scheme() string {
	if w.cert != nil {
		return "https"
	}
	return "http"
}

// leaf is the certificate of the web server; nil: in the clear.
func (w *webService) leaf() *x509.Certificate {
	if w == nil || w.cert == nil {
		return nil
	}
	return w.cert.Leaf()
}

// introduce logs by what people know the certificate.
func (w *webService) introduce(log *slog.Logger) {
	if c := w.leaf(); c != nil {
		log.Info("web server encrypts: compare the fingerprint with the one that a browser shows", "sha256", certificate.Fingerprint(c),
			"until", c.NotAfter.UTC().Format(time.DateOnly), "self_made", w.cert.SelfMade())
	}
}

// WebHealth is what /healthz shows of a web server that encrypts.
type WebHealth struct {
	SHA256   string    `json:"sha256"` // fingerprint of its certificate
	Until    time.Time `json:"until"`
	SelfMade bool      `json:"self_made"`
}

// Health implements HealthReporter.
func (w *webService) Health(add func(key string, value any)) {
	if c := w.leaf(); c != nil {
		add("web", WebHealth{certificate.Fingerprint(c), c.NotAfter, w.cert.SelfMade()})
	}
}
