package rogue

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"pithings/mqttlink/packet"
)

// Device is who a client is to the broker.
type Device struct {
	Name     string
	TLS      *tls.Config // nil: in the clear
	Username string
	Password string
}

// login is its CONNECT.
func (d *Device) login() packet.Login {
	return packet.Login{ClientID: d.Name, Username: d.Username, Password: d.Password, KeepAlive: keepAlive}
}

const keepAlive = 60 // seconds: longer than any silence of ours

// site is the broker, as all devices share it.
type site struct {
	addresses func(context.Context) ([]netip.AddrPort, error)
	connects  *pace
	messages  *pace
	far       bool
	times     times
	run       string // begins the marks of this run, and of no other
	marks     atomic.Uint64
}

// mark is the beginning of a payload, unlike all others.
func (s *site) mark() string { return fmt.Sprintf("%s%s-%d.", markPrefix, s.run, s.marks.Add(1)) }

// dial opens a connection.
func (s *site) dial(ctx context.Context, config *tls.Config) (net.Conn, error) {
	if err := s.connects.wait(ctx); err != nil {
		return nil, err
	}
	all, err := s.addresses(ctx) // each time: the guard must see where a name leads
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("the broker has no address")
	}
	for _, to := range all {
		nc, dialed := dial(ctx, to, config, s.times.dial)
		if dialed == nil {
			return nc, nil
		}
		err = cmp.Or(err, dialed)
	}
	return nil, err
}

// open opens a connection that listens.
func (s *site) open(ctx context.Context, config *tls.Config) (*conn, error) {
	nc, err := s.dial(ctx, config)
	if err != nil {
		return nil, err
	}
	c := newConn(ctx, nc, &s.times, s.messages)
	c.listen()
	return c, nil
}

// enter connects a device.
func (s *site) enter(ctx context.Context, d *Device) (*conn, error) {
	c, err := s.open(ctx, d.TLS)
	if err != nil {
		return nil, err
	}
	l := d.login()
	if err := c.login(ctx, &l); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// homes are where a device may have topics of its own, the likeliest first: those of the AWS IoT
// Playground, and of provision local.
func homes(name string) []string {
	return []string{"cmd/ac/" + name + "/", "cmd/" + name + "/", name + "/", "dt/ac/company1/area1/" + name + "/"}
}

// own is the last level of the topic that is used at home: policies may allow a device this
// one alone.
const own = "req"

// findHome finds topics that a device may publish and receive, which evidence needs: it publishes
// there and waits for its own message. "" if there are none.
func (s *site) findHome(ctx context.Context, d *Device) (string, error) {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for _, home := range homes(d.Name) {
		if c == nil {
			var err error
			if c, err = s.enter(ctx, d); err != nil {
				return "", err
			}
		}
		mark := s.mark()
		granted, _ := c.granted(ctx, home+"#")
		if granted && c.post(ctx, packet.Message{Topic: home + own, Payload: []byte(mark)}) == nil && c.ping(ctx, s.times.answer) == nil &&
			c.await(ctx, s.times.settle, func(in *inbox) bool { return in.heard(mark) }) {
			return home, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if c.closed() { // AWS IoT Core closes the connection of who subscribes to what it may not
			c.close()
			c = nil
		}
	}
	return "", nil
}

// witness is a client that does no harm, and sees what the others can do. All devices share it.
type witness struct {
	site   *site
	device *Device
	home   string

	mu   sync.Mutex
	ctx  context.Context // of the run
	conn *conn
	more []string // filters beside its home
}

// at returns the witness's connection, which is opened again when the broker has ended it. It is
// subscribed to its home and to more.
func (w *witness) at(ctx context.Context) (*conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil && !w.conn.closed() {
		return w.conn, nil
	}
	w.leave()
	c, err := w.site.enter(w.ctx, w.device)
	if err != nil {
		return nil, fmt.Errorf("the witness %s: %w", w.device.Name, err)
	}
	for _, filter := range append([]string{w.home + "#"}, w.more...) {
		granted, err := c.granted(ctx, filter)
		if err == nil && !granted {
			err = errors.New("its subscription was refused")
		}
		if err != nil {
			c.close()
			return nil, fmt.Errorf("the witness %s: %w", w.device.Name, err)
		}
	}
	w.conn = c
	return c, nil
}

// adds subscribes a connection of the witness to more than its home, and the connections that come after it.
func (w *witness) adds(ctx context.Context, c *conn, filter string) (granted bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	granted, err = c.granted(ctx, filter)
	if granted && !slices.Contains(w.more, filter) {
		w.more = append(w.more, filter)
	}
	return granted, err
}

// leave ends its connection.
func (w *witness) leave() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
}
