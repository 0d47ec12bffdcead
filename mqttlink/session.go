package mqttlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// session is one connection from CONNACK to its end. It has three goroutines:
// one sends from the outbox, one waits for the acknowledgements in order, one
// keeps the subscriptions as they are wanted. run waits for all of them, so that
// sessions never overlap.
type session struct {
	l      *Link
	about  about
	client mqtt.Client
	wire   *wire
	gone   chan struct{} // closed when the client has wound up after a loss
	began  time.Time

	ended chan struct{} // closed with the first reason to end
	once  sync.Once
	err   error     // that reason; read after ended is closed
	over  time.Time // when it came

	slots   chan struct{} // one token for each flight
	flights chan flight   // in the order of the outbox; closed when the sender ends
	landed  chan struct{} // has a token when a flight may have landed
	overdue *time.Timer   // runs out when one should have, if it is watched
	watched atomic.Bool
	soon    *time.Timer // runs out when PUBACKs and writing have waited for others, if it is noted
	noted   atomic.Bool
	unsafe  atomic.Uint64 // the last message that Publish has not waited for; 0: all are written
	sending sync.Mutex    // the right to send; taken before mu
	closed  bool          // flights is; of who sends, as are:
	order   order
	pace    pacer
	probe   probe
	handed  uint64 // the last record with QoS 0 that earlier sessions gave to the network

	// Read when run's goroutines have ended.
	acks     int      // PUBACKs in this session
	stranded []flight // what had not landed at its end

	mu          sync.Mutex
	subscribing string        // filters asked for and not answered
	unconfirmed []flight      // QoS 0, and not known to have been written yet
	settled     uint64        // generation of the subscriptions that is in effect
	settling    chan struct{} // closed, and made anew, when settled changes
}

// errEnding ends a session because the link ends.
var errEnding = errors.New("the link ends")

// connect opens a session: connection, handshake, CONNECT and CONNACK.
func (l *Link) connect(ctx context.Context) (*session, error) {
	s := &session{
		l: l, gone: make(chan struct{}), ended: make(chan struct{}), settling: make(chan struct{}),
		slots: make(chan struct{}, l.o.Window), flights: make(chan flight, l.o.Window),
		landed: make(chan struct{}, 1), overdue: time.NewTimer(time.Hour), soon: time.NewTimer(time.Hour),
		about: about{
			endpoint: l.endpoint, clientID: l.o.ClientID, timeout: l.o.ConnectTimeout,
			certFile: l.o.Cert, ca: l.o.CA, password: l.o.Username != "", limits: l.o.Limits,
		},
	}
	tc, leaf, err := l.o.tlsConfig(l.endpoint)
	if err != nil {
		return nil, err
	}
	s.about.leaf = leaf
	ctx, cancel := context.WithTimeout(ctx, l.o.ConnectTimeout)
	defer cancel()

	o := l.pahoOptions()
	o.SetDefaultPublishHandler(s.receiveOther)
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		s.end(err)
		close(s.gone)
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := dial(ctx, l.o.Dial, l.endpoint, tc)
		if err != nil {
			return nil, err
		}
		w := newWire(conn, l.o.WriteTimeout, l.o.MaxInbound)
		w.failed, w.tooLarge, w.deliver, w.landed = s.end, s.tooLarge, s.receive, s.acknowledged
		s.mu.Lock()
		s.wire = w
		s.mu.Unlock()
		if err := ctx.Err(); err != nil { // giveUp may have come too early to see w
			w.kill(err)
		}
		return w, nil
	})
	s.client = mqtt.NewClient(o)
	tok := s.client.Connect()
	// The library waits for CONNACK with a time-out, but without a context.
	stop := context.AfterFunc(ctx, func() { s.giveUp(ctx.Err()) })
	<-tok.Done()
	stopped := stop()
	if err := tok.Error(); err != nil {
		s.about.now = l.o.now()
		return nil, explainConnect(err, s.about)
	}
	s.began = time.Now()
	s.probe.until, s.handed = l.sent, l.handed
	if l.o.LiveFirst {
		s.probe.until = l.trial.message.seq
	}
	s.order, s.pace = l.newOrder(), pacer{rate: l.o.Drain}
	if !stopped { // the context ended just as the CONNACK came
		s.end(ctx.Err())
	}
	if a := addrOf(s.wire.LocalAddr()); a.IsValid() {
		l.local.Store(&a)
	}
	return s, nil
}

// pahoOptions returns the library's options for one session.
func (l *Link) pahoOptions() *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: l.endpoint.Scheme, Host: l.endpoint.Addr()}}
	o.SetProtocolVersion(4) // without, every failure is tried again with MQTT 3.1
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetOrderMatters(true)
	o.SetStore(noStore{})
	o.SetClientID(l.o.ClientID)
	o.SetCleanSession(l.o.CleanSession)
	o.SetUsername(l.o.Username)
	o.SetPassword(l.o.Password)
	o.SetKeepAlive(l.o.KeepAlive)
	o.SetPingTimeout(min(10*time.Second, l.o.KeepAlive))
	o.SetConnectTimeout(l.o.ConnectTimeout)
	o.SetWriteTimeout(handOver) // that of packets is the wire's
	if w := l.o.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retain)
	}
	return o
}

// giveUp breaks off a connection being established. Before there is a wire, the
// dialer obeys the context itself.
func (s *session) giveUp(err error) {
	s.mu.Lock()
	w := s.wire
	s.mu.Unlock()
	if w != nil {
		w.kill(err)
	}
}

// end notes why the session ends. Only the first reason counts.
func (s *session) end(err error) {
	s.once.Do(func() {
		s.err, s.over = err, time.Now()
		close(s.ended)
	})
}

// run keeps the session until it is lost or ctx ends, and returns the reason.
func (s *session) run(ctx context.Context) error {
	defer s.overdue.Stop()
	defer s.soon.Stop()
	var wg sync.WaitGroup
	wg.Go(s.send)
	wg.Go(s.acknowledge)
	s.l.now.Store(s)
	defer s.l.now.Store(nil)
	wg.Go(s.keepSubscriptions)
	held := time.NewTimer(kickedStill)
	defer held.Stop()
	for waiting := true; waiting; {
		select {
		case <-s.ended:
			waiting = false
		case <-held.C:
			s.l.noteHeld()
		case <-ctx.Done():
			s.flush()
			waiting = false
		}
	}
	s.end(errEnding)
	if errors.Is(s.err, errEnding) {
		s.wire.hurry(min(s.l.o.WriteTimeout, time.Second))
		wg.Wait()
		s.client.Disconnect(uint(min(s.l.o.WriteTimeout, time.Second) / time.Millisecond))
		s.wire.kill(errEnding) // if the broker did not let DISCONNECT through
		s.noteHanded()
		return errEnding
	}
	s.wire.kill(s.err)
	wg.Wait()
	select {
	case <-s.gone:
	case <-time.After(2 * s.l.o.WriteTimeout):
		s.l.o.Log.Debug("the client library is slow to wind up a lost connection")
	}
	s.noteHanded()
	s.noteStranded()
	s.l.noteTimeouts(s.err, s.acks)
	s.about.now = s.l.o.now()
	s.mu.Lock()
	subscribing := s.subscribing
	s.mu.Unlock()
	lived := s.over.Sub(s.began)
	f := s.judge(lived, subscribing)
	if f != nil {
		return f
	}
	return explainLost(s.err, s.about, lived, subscribing)
}

// flush gives the outbox a bounded time to empty at the end.
func (s *session) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), s.l.o.FlushTimeout)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		select {
		case <-s.ended: // a lost connection flushes nothing
			cancel()
		case <-ctx.Done():
		}
	})
	// First what is there, while the handlers still publish their last words;
	// then, with the door closed, what came in meanwhile.
	_ = s.l.Flush(ctx) // the link's end tells what is left
	s.l.close()
	_ = s.l.Flush(ctx)
	cancel()
}

// handOver is how long the library may keep us waiting to take a packet over. It
// does so while it writes another, and also when the connection has just been lost
// and it will never take one again, which it does not tell.
const handOver = 500 * time.Millisecond

// taken calls a method of the library until it has taken the packet over, or the
// session has ended.
func (s *session) taken(call func() mqtt.Token) mqtt.Token {
	for {
		tok := call()
		if !notTaken(tok) {
			return tok
		}
		select {
		case <-s.ended:
			return tok
		default:
		}
	}
}

// notTaken reports whether the library has given up to take a packet over.
func notTaken(tok mqtt.Token) bool {
	return done(tok) && tok.Error() != nil && strings.HasSuffix(tok.Error().Error(), "was broken by timeout")
}

// receive hands a message to its subscriptions. It is called by whoever reads from the
// network and never waits.
func (s *session) receive(m Message) {
	s.l.count(func(st *Stats) { st.Received++ })
	s.l.subs.dispatch(s.l.ctx, s.l.quiet, m)
}

// receiveOther does the same with messages that come through the library.
func (s *session) receiveOther(_ mqtt.Client, m mqtt.Message) {
	s.receive(Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retain: m.Retained()})
}

// tooLarge tells of a message that was not handed on.
func (s *session) tooLarge(topic string, n int) {
	s.l.count(func(st *Stats) { st.TooLarge++ })
	topic = oneLine(clip(topic))
	s.l.quiet.say(slog.LevelWarn, "too large "+topic, "message dropped: it is too large", "topic", topic, "bytes", n, "limit", s.l.o.MaxInbound)
}

// noStore is the library's message store. The outbox is ours; a session that is
// lost leaves nothing behind.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
