package agent

import (
	"fmt"
	"log/slog"
	"net"

	"pithings/agent/access"
	"pithings/agent/certificate"
	"pithings/agent/config"
	"pithings/agent/web"
	"pithings/mqttlink/broker"
)

const webName = "web"

// webService is the web server.
type webService struct {
	*web.Server
	door *access.Door
	next *web.Access         // of a reload
	cert *certificate.Source // nil: in the clear
}

// newWeb binds the address of a configuration, or one of the ports behind it.
func newWeb(c *config.HTTP, ports int, log *slog.Logger) (*webService, error) {
	l, err := firstFree(c.Listen, ports, func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) })
	if broker.Taken(err) {
		return nil, fmt.Errorf("web server: another program has that port (%w): stop it, or choose another with --listen or http.listen", err)
	}
	if err != nil {
		return nil, fmt.Errorf("web server: %w", err)
	}
	return &webService{Server: web.New(l, c.MaxConnections, log)}, nil
}

// open lets clients in by the credentials in the state folder and the configuration.
func (w *webService) open(c *config.HTTP, state string, simulated bool, log *slog.Logger) {
	door, err := access.Open(state)
	if err != nil {
		log.Error("web server is closed to other hosts: its credentials cannot be read", "err", err)
	}
	door.Fix(c.PasswordHash.Reveal())
	w.door = door
	w.Open(door, simulated)
}

// sign makes pictures need a signature, or a client that may look.
func (w *webService) sign(p *config.Pictures) {
	if p.Expiry.Duration > 0 {
		w.Sign()
	}
}

// Name implements Service.
func (w *webService) Name() string { return webName }

// Essential implements the interface of that name: the port may be another program's by the
// time the server could start again.
func (w *webService) Essential() bool { return true }

// rules reads who may ask.
func rules(c *config.HTTP) (*web.Access, error) {
	return web.NewAccess(web.Rules{Nets: c.AllowNets, BaseURL: c.BaseURL, TokenFile: c.TokenFile, Proxies: c.TrustedProxies, BasePath: c.BasePath})
}

// In a reload, who may ask changes while the server runs.

func (w *webService) plan(ch *change) (err error) {
	if w.next, err = rules(&ch.next.HTTP); err != nil || w.cert == nil || w.cert.SelfMade() {
		return err
	}
	if err := w.cert.Refresh(); err != nil {
		return fmt.Errorf("http.tls: %w", err)
	}
	return nil
}

func (w *webService) leave(*change) {}

func (w *webService) take(ch *change) error {
	w.Allow(w.next)
	w.door.Fix(ch.next.HTTP.PasswordHash.Reveal())
	if w.cert != nil && w.cert.SelfMade() { // it may lack a name now
		return w.cert.Refresh()
	}
	return nil
}
