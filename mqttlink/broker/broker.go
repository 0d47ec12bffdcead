// Package broker runs a small MQTT broker inside the process, so that a laptop
// or a single Pi needs no other. It keeps everything in memory, knows no users,
// and therefore listens on the loopback interface unless it is told otherwise.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// ErrNotLoopback is wrapped when an address is reachable from the network and
// Options.AllowNetwork is not set.
var ErrNotLoopback = errors.New("the embedded broker asks nobody for a password: it listens on 127.0.0.1 or [::1], unless the network is allowed explicitly")

// Options bound what clients can make the broker do. Zero values mean the
// defaults given.
type Options struct {
	AllowNetwork bool // listen on addresses that other machines can reach
	MaxPacket    int  // bytes of the largest packet, 1 MiB
	MaxClients   int  // connections at a time, 256
}

// Broker is a running broker.
type Broker struct {
	server   *mqtt.Server
	listener *listener
	once     sync.Once
	err      error
}

// Start listens on addr ("127.0.0.1:1883"; port 0: any free one) and serves
// until Close. A nil log is quiet; the broker's own messages are at debug level.
func Start(addr string, o Options, log *slog.Logger) (*Broker, error) {
	if err := checkAddr(addr, o); err != nil {
		return nil, err
	}
	nl, err := net.Listen("tcp", addr)
	if err != nil {
		if Taken(err) {
			return nil, fmt.Errorf("embedded broker on %s: another program has that port (%w): stop it, or choose another port", addr, err)
		}
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return serve(nl, o, log)
}

// checkAddr refuses addresses that others can reach. A host name is refused as
// well: what it stands for may change.
func checkAddr(addr string, o Options) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("embedded broker: address %q: write it like 127.0.0.1:1883: %w", addr, err)
	}
	if o.AllowNetwork || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("embedded broker on %q: %w", addr, ErrNotLoopback)
	}
	return nil
}

// Taken tells whether a listener failed because somebody listens on the address
// already.
func Taken(err error) bool {
	return err != nil && (errors.Is(err, syscall.EADDRINUSE) ||
		strings.Contains(err.Error(), "Only one usage of each socket address")) // Windows
}

func serve(nl net.Listener, o Options, log *slog.Logger) (*Broker, error) {
	if o.MaxPacket <= 0 {
		o.MaxPacket = 1 << 20
	}
	if o.MaxClients <= 0 {
		o.MaxClients = 256
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumPacketSize = uint32(o.MaxPacket)
	c.MaximumClients = int64(o.MaxClients)
	c.MaximumMessageExpiryInterval = 0         // else retained messages vanish after a day
	c.MaximumSessionExpiryInterval = 24 * 3600 // sessions left behind, in seconds
	c.MaximumClientWritesPending = 4096        // messages; a channel of that size for each client
	c.TopicAliasMaximum = 0
	s := mqtt.New(&mqtt.Options{
		Capabilities:           c,
		Logger:                 slog.New(quieter{log.Handler()}),
		SysTopicResendInterval: 60, // seconds; the default of 1 keeps a Pi busy
	})
	l := newListener(nl, o.MaxClients)
	b := &Broker{server: s, listener: l}
	if err := errors.Join(s.AddHook(new(allowAll), nil), s.AddListener(l)); err != nil {
		nl.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if err := s.Serve(); err != nil {
		b.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return b, nil
}

// Addr returns the address listened on, with the port that was chosen.
func (b *Broker) Addr() string { return b.listener.Address() }

// Endpoint returns mqtt://host:port for clients on this machine.
func (b *Broker) Endpoint() string {
	addr := b.Addr()
	if ap, err := netip.ParseAddrPort(addr); err == nil && ap.Addr().IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ap.Port())))
	}
	return "mqtt://" + addr
}

// Close disconnects all clients and waits for them to be gone.
func (b *Broker) Close() error {
	b.once.Do(func() { b.err = b.server.Close() })
	return b.err
}

// connectTime is what a client has for its CONNECT.
const connectTime = 10 * time.Second

// listener accepts connections for the broker. It has the broker's own listener's
// task, and two more: a client that never sends CONNECT is closed after a time,
// and at the end all connections are, which the broker does only for those whose
// CONNECT has come, while it waits for every one.
type listener struct {
	net  net.Listener
	most int
	wg   sync.WaitGroup // of connections, and of Serve

	mu    sync.Mutex
	conns map[net.Conn]bool // nil when closed
}

func newListener(l net.Listener, most int) *listener {
	return &listener{net: l, most: most, conns: make(map[net.Conn]bool)}
}

// ID implements the library's Listener, as do the following.
func (l *listener) ID() string { return "tcp" }

// Address returns host:port.
func (l *listener) Address() string { return l.net.Addr().String() }

// Protocol returns "tcp".
func (l *listener) Protocol() string { return l.net.Addr().Network() }

// Init does nothing: the socket is open already, so that a taken port is told
// before anything else is set up.
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	for {
		c, err := l.net.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, most likely: it passes
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !l.add(c) {
			c.Close()
			continue
		}
		go func() {
			defer l.wg.Done()
			defer l.remove(c)
			_ = c.SetDeadline(time.Now().Add(connectTime)) // the broker sets its own after CONNECT
			_ = establish(l.ID(), c)                       // logged by the broker
		}()
	}
}

// add takes a connection on the books, unless there are too many or the listener
// is closed.
func (l *listener) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil || len(l.conns) >= l.most {
		return false
	}
	l.conns[c] = true
	l.wg.Add(1)
	return true
}

func (l *listener) remove(c net.Conn) {
	c.Close()
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// Close ends all connections, those with a client through the broker, and waits.
func (l *listener) Close(closeClients listeners.CloseFn) {
	l.net.Close()
	closeClients(l.ID())
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	for c := range conns {
		c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// allowAll lets every client do everything. (The library's own such hook would
// bring a second YAML package into the program.)
type allowAll struct{ mqtt.HookBase }

// ID names the hook.
func (*allowAll) ID() string { return "allow-all" }

// Provides says which questions the hook answers.
func (*allowAll) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

// OnConnectAuthenticate lets a client connect.
func (*allowAll) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck lets a client publish and subscribe.
func (*allowAll) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// quieter lowers the library's messages to debug: that a client left without a
// goodbye is no news to the user of this program.
type quieter struct{ slog.Handler }

// Enabled reports whether debug messages are wanted.
func (q quieter) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle passes a record on at debug level.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	d := slog.NewRecord(r.Time, slog.LevelDebug, "broker: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool { d.AddAttrs(a); return true })
	return q.Handler.Handle(ctx, d)
}

// WithAttrs implements slog.Handler.
func (q quieter) WithAttrs(a []slog.Attr) slog.Handler { return quieter{q.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }
