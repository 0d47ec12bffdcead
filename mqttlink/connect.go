package mqttlink

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/internal/pace"
	"pithings/mqttlink/internal/transport"
	"pithings/mqttlink/wire"
)

// connect opens a session: connection, handshake, CONNECT and CONNACK.
func connect(ctx context.Context, p parts) (*session, error) {
	s := &session{
		parts: p, gone: make(chan struct{}), ending: ending{ended: make(chan struct{})},
		out: newInflight(p.o.Window, p.carry.patience.Timeout(p.o.AckTimeout), &p.queue.flushing),
		about: about{
			endpoint: p.endpoint, clientID: p.o.ClientID, timeout: p.o.ConnectTimeout,
			certFile: p.o.Cert, password: p.o.Username != "", limits: p.o.Limits, hints: p.o.Hints,
		},
	}
	s.subscriber = subscriber{base: p.base, ending: &s.ending, wanted: p.subs, settling: make(chan struct{})}
	s.sender = sender{base: p.base, ending: &s.ending, queue: p.queue, suspects: p.suspects, carry: p.carry, subs: &s.subscriber, out: s.out, drain: pace.NewDrain(p.o.Drain)}
	announces := p.o.Will != nil && p.suspects.announces()
	if announces {
		s.about.will = p.o.Will.Topic
	}
	tc, used, err := p.o.tlsConfig(p.endpoint)
	if err != nil {
		return nil, err
	}
	s.about.credentials = used
	ctx, cancel := context.WithTimeout(ctx, p.o.ConnectTimeout)
	defer cancel()

	o := pahoOptions(p.base, announces)
	o.SetDefaultPublishHandler(p.subs.receiveOther)
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		s.end(err)
		close(s.gone)
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := transport.Open(ctx, p.o.Dial, p.endpoint, tc)
		if err != nil {
			return nil, err
		}
		w := wire.New(conn, wire.Options{
			WriteTimeout: p.o.WriteTimeout, MaxInbound: p.o.MaxInbound, Gauge: transport.GaugeOf(conn), Deliver: p.subs.receive,
			Acked: s.out.puback, TooLarge: p.subs.tooLarge, Failed: s.end,
		})
		s.mu.Lock()
		s.conn = w
		s.mu.Unlock()
		if err := ctx.Err(); err != nil { // abort may have come too early to see w
			w.Kill(err)
		}
		return w, nil
	})
	s.client = mqtt.NewClient(o)
	tok := s.client.Connect()
	// The library waits for CONNACK with a time-out, but without a context.
	stop := context.AfterFunc(ctx, func() { s.abort(ctx.Err()) })
	<-tok.Done()
	stopped := stop()
	if err := tok.Error(); err != nil {
		s.about.now = p.o.now()
		return nil, explainConnect(err, s.about)
	}
	s.assemble()
	if !stopped { // the context ended just as the CONNACK came
		s.end(ctx.Err())
	}
	return s, nil
}

// abort breaks off a connection being established. Before there is a wire, the dialer obeys
// the context itself.
func (s *session) abort(err error) {
	s.mu.Lock()
	w := s.conn
	s.mu.Unlock()
	if w != nil {
		w.Kill(err)
	}
}

// pahoOptions returns the library's options for one session.
func pahoOptions(b *base, announces bool) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: b.endpoint.Scheme, Host: b.endpoint.Addr()}}
	o.SetProtocolVersion(4) // without, every failure is tried again with MQTT 3.1
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetOrderMatters(true)
	o.SetStore(noStore{})
	o.SetClientID(b.o.ClientID)
	o.SetCleanSession(b.o.CleanSession)
	o.SetUsername(b.o.Username)
	o.SetPassword(b.o.Password)
	o.SetKeepAlive(b.o.KeepAlive)
	o.SetPingTimeout(min(10*time.Second, b.o.KeepAlive))
	o.SetConnectTimeout(b.o.ConnectTimeout)
	o.SetWriteTimeout(handOver) // that of packets is the wire's
	if w := b.o.Will; announces {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retain)
	}
	return o
}

func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// noStore is the library's message store. The outbox is ours; a session that is lost leaves
// nothing behind.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
