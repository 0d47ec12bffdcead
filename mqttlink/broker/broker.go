package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"pithings/mqttlink/broker/internal/access"
	"pithings/mqttlink/broker/internal/store"
	"pithings/quietlog"
)

// window is the number of messages that are sent to a client before it has
// acknowledged the first.
const window = 256

// Broker is a running broker.
type Broker struct {
	o        Options
	log      *slog.Logger
	server   *mqtt.Server
	listener *listener
	store    *store.Store
	gate     *access.Gate
	wills    *wills
	endLog   func()
	buffers  sync.Pool       // of *[store.Buffer]byte, for writers
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	once     sync.Once
	err      error
}

// Start listens on addr ("127.0.0.1:1883"; port 0: any free one) and serves
// until Close. A nil log is quiet; the library's own messages are at debug level.
func Start(addr string, o Options, log *slog.Logger) (*Broker, error) {
	if err := o.Check(addr); err != nil {
		return nil, fmt.Errorf("embedded broker on %s: %w", addr, err)
	}
	o = o.withDefaults()
	gate, err := o.gate(addr)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	nl, err := net.Listen("tcp", addr)
	if err != nil {
		if Taken(err) {
			return nil, fmt.Errorf("embedded broker on %s: another program has that port (%w): stop it, or choose another port", addr, err)
		}
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log, end := quietlog.Limit(log) // clients can cause most of the lines
	b := &Broker{o: o, log: log, endLog: end, gate: gate}
	b.buffers.New = func() any { return new([store.Buffer]byte) }
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if err := b.serve(nl); err != nil {
		b.cancel()
		nl.Close()
		end()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return b, nil
}

// Taken reports whether a listener failed because another program listens on the
// address already.
func Taken(err error) bool {
	return err != nil && (errors.Is(err, syscall.EADDRINUSE) ||
		strings.Contains(err.Error(), "Only one usage of each socket address")) // Windows
}

func (b *Broker) serve(nl net.Listener) error {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumPacketSize = uint32(b.o.MaxPacket)
	c.MaximumClients = math.MaxInt64   // the listener counts them
	c.MaximumMessageExpiryInterval = 0 // else retained messages vanish after a day
	c.MaximumClientWritesPending = 32  // of $SYS topics; all others are queued by the store
	c.TopicAliasMaximum = 0            // a table for each client
	c.MaximumSessionExpiryInterval = uint32(b.o.SessionExpiry / time.Second)
	c.Compatibilities.NoInheritedPropertiesOnAck = true // they are the publisher's, and large
	b.server = mqtt.New(&mqtt.Options{
		Capabilities:           c,
		Logger:                 slog.New(quieter{b.log.Handler()}),
		SysTopicResendInterval: 60, // seconds; the default of 1 keeps a Pi busy
	})
	b.store = store.New(store.Options{Max: b.o.MaxMemory, Window: window, Now: time.Now,
		Forget: b.expelled, Evicted: b.evicted})
	b.wills = newWills(b.o.MaxMemory, b.publish)
	b.listener = newListener(b, nl)
	if err := errors.Join(b.server.AddHook(&hooks{b: b}, nil), b.server.AddListener(b.listener)); err != nil {
		return err
	}
	return b.server.Serve()
}

// Addr returns the address listened on, with the port that was chosen.
func (b *Broker) Addr() string { return b.listener.Address() }

// Endpoint returns mqtt://host:port, or mqtts://, for clients on this machine.
func (b *Broker) Endpoint() string {
	addr := b.Addr()
	if ap, err := netip.ParseAddrPort(addr); err == nil && ap.Addr().IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ap.Port())))
	}
	if b.o.TLS != nil {
		return "mqtts://" + addr
	}
	return "mqtt://" + addr
}

// Dial returns a connection for a client of this process. It needs no login, may do
// everything, is never refused or disconnected to make room, and others cannot take
// its client id. It speaks plain MQTT.
func (b *Broker) Dial(ctx context.Context) (net.Conn, error) {
	client, server, err := pair(ctx)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if !b.listener.admit(server, true) {
		client.Close()
		return nil, fmt.Errorf("embedded broker: %w", net.ErrClosed)
	}
	return client, nil
}

// pair returns the two ends of a connection over the loopback interface, which only
// this process can have: the listener is there for a moment, and what others connect
// to it is closed.
func pair(ctx context.Context) (client, server net.Conn, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if client, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		if server, err = l.Accept(); err != nil {
			client.Close()
			return nil, nil, err
		}
		if server.RemoteAddr().String() == client.LocalAddr().String() {
			return client, server, nil
		}
		server.Close()
	}
}

// Close disconnects all clients and waits for them to be gone.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.cancel()
		b.wills.stop()
		b.err = b.server.Close()
		b.endLog()
	})
	return b.err
}

// Stats are a broker's figures.
type Stats = store.Stats

// Stats returns the present figures.
func (b *Broker) Stats() Stats { return b.store.Stats() }

// expelled makes the library forget what a client has. A connected client's goroutine
// finds its connection closed, and does the rest (ended).
func (b *Broker) expelled(client any, connected bool) {
	cl := client.(*mqtt.Client)
	if connected {
		b.server.UnsubscribeClient(cl)
		return
	}
	b.forget(cl)
}

// forget makes the library forget a client that is not connected.
func (b *Broker) forget(cl *mqtt.Client) {
	b.server.UnsubscribeClient(cl)
	cl.ClearInflights()
	b.server.Clients.Delete(cl.ID)
}

// evicted logs that a client was dropped to make room.
func (b *Broker) evicted(e store.Eviction) {
	what := "client disconnected: the broker's memory is spent, and this client costs most"
	if e.Absent {
		what = "session of an absent client dropped: the broker's memory is spent, and it costs most"
	}
	b.log.Warn("broker: "+what, "client", short(e.Client), "of", short(e.Group), "bytes", e.Cost, "max_memory", b.o.MaxMemory)
}
