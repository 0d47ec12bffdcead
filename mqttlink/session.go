package mqttlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/outbox"
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
	err   error // that reason; read after ended is closed

	slots   chan struct{} // one token for each message on its way
	flights chan flight   // in the order sent; closed when the sender ends

	// Read when run's goroutines have ended.
	acks     int      // PUBACKs in this session
	stranded []flight // what was not acknowledged at its end

	mu          sync.Mutex
	subscribing string        // filters asked for and not answered
	settled     uint64        // generation of the subscriptions that is in effect
	settling    chan struct{} // closed, and made anew, when settled changes
}

// flight is a message on its way.
type flight struct {
	seq  uint64
	qos  byte
	tok  mqtt.Token // nil: was handed over in an earlier session
	sent time.Time
}

// errEnding ends a session because the link ends.
var errEnding = errors.New("the link ends")

// connect opens a session: connection, handshake, CONNECT and CONNACK.
func (l *Link) connect(ctx context.Context) (*session, error) {
	s := &session{
		l: l, gone: make(chan struct{}), ended: make(chan struct{}), settling: make(chan struct{}),
		slots: make(chan struct{}, l.o.Window), flights: make(chan flight, l.o.Window),
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
	o.SetDefaultPublishHandler(s.receive)
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
		w.failed, w.tooLarge = s.end, s.tooLarge
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
	o.SetWriteTimeout(l.o.WriteTimeout)
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
		s.err = err
		close(s.ended)
	})
}

// run keeps the session until it is lost or ctx ends, and returns the reason.
func (s *session) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(s.send)
	wg.Go(s.acknowledge)
	wg.Go(s.keepSubscriptions)
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.flush()
	}
	s.end(errEnding)
	if errors.Is(s.err, errEnding) {
		wg.Wait()
		s.client.Disconnect(uint(min(s.l.o.WriteTimeout, time.Second) / time.Millisecond))
		s.wire.kill(errEnding) // if the broker did not let DISCONNECT through
		return errEnding
	}
	s.wire.kill(s.err)
	wg.Wait()
	select {
	case <-s.gone:
	case <-time.After(2 * s.l.o.WriteTimeout):
		s.l.o.Log.Debug("the client library is slow to wind up a lost connection")
	}
	s.settleStranded()
	s.l.noteTimeouts(s.err, s.acks)
	s.about.now = s.l.o.now()
	s.mu.Lock()
	subscribing := s.subscribing
	s.mu.Unlock()
	return explainLost(s.err, s.about, time.Since(s.began), subscribing)
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

// send publishes from the outbox, from the first unacknowledged record on.
func (s *session) send() {
	defer close(s.flights)
	l := s.l
	pace := pacer{rate: l.o.Drain}
	handed := l.handed // by earlier sessions
	for pos := uint64(0); ; {
		select {
		case s.slots <- struct{}{}:
		case <-s.ended:
			return
		}
		r, ok := s.next(pos, &pace)
		if !ok {
			return
		}
		pos = r.Seq + 1
		if r.QoS == 0 && r.Seq <= handed {
			s.flights <- flight{seq: r.Seq} // at most once: it only waits for those before it
			continue
		}
		if !s.throttled(r) {
			return
		}
		if r.Seq <= l.sent {
			l.count(func(st *Stats) { st.Resent++ })
		}
		l.sent = max(l.sent, r.Seq)
		tok := s.client.Publish(r.Topic, r.QoS, r.Retain, r.Payload)
		s.flights <- flight{seq: r.Seq, qos: r.QoS, tok: tok, sent: time.Now()}
	}
}

// next waits for the record at pos, for the subscriptions made before it, and for
// its turn while a backlog is drained at a given rate.
func (s *session) next(pos uint64, pace *pacer) (r outbox.Record, ok bool) {
	for {
		r, ok, err := s.l.box.Next(pos)
		switch {
		case err != nil:
			s.end(fault(Lost, err, "the outbox cannot be read (%v): the connection is opened again", err))
			return r, false
		case ok:
			if !s.waitSettled() {
				return r, false
			}
			return r, pace.wait(s.ended)
		}
		pace.rest()
		select {
		case <-s.l.kick:
		case <-s.ended:
			return r, false
		}
	}
}

// acknowledge waits at the head of the flights and takes what is acknowledged
// out of the outbox. When the session ends it goes on with what has arrived, up
// to the first gap.
func (s *session) acknowledge() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	progress := s.began
	gap := false
	for f := range s.flights {
		if !gap && s.arrived(f, progress, timer) {
			if f.qos > 0 {
				s.acks++
			}
			progress = time.Now()
			s.l.acked(f.seq)
			<-s.slots
			continue
		}
		gap = true
		s.stranded = append(s.stranded, f)
	}
}

// settleStranded finds out, when nothing is written any more, which of the QoS 0
// messages behind a gap were handed to the network all the same: those must not
// be sent again with the rest.
func (s *session) settleStranded() {
	for _, f := range s.stranded {
		if f.tok != nil && f.qos == 0 && done(f.tok) && f.tok.Error() == nil {
			s.l.handed = max(s.l.handed, f.seq)
		}
	}
}

// arrived waits until the flight has landed. If it has not, the session ends.
func (s *session) arrived(f flight, progress time.Time, timer *time.Timer) bool {
	if f.tok == nil {
		return true
	}
	if !done(f.tok) {
		if f.sent.After(progress) {
			progress = f.sent
		}
		limit := s.l.ackTimeout()
		timer.Reset(time.Until(progress.Add(limit)))
		select {
		case <-f.tok.Done():
		case <-s.ended:
		case <-timer.C:
			s.end(fault(NoAck, nil, "%s did not acknowledge a message within %s; the connection is opened again and the message repeated: if that does not end, the broker throttles or forbids it",
				s.about.endpoint, limit))
		}
		if !done(f.tok) {
			return false
		}
	}
	if err := f.tok.Error(); err != nil {
		s.end(err)
		return false
	}
	return true
}

func done(t mqtt.Token) bool {
	select {
	case <-t.Done():
		return true
	default:
		return false
	}
}

// receive hands a message to its subscriptions. It is called on the library's
// network loop and never waits.
func (s *session) receive(_ mqtt.Client, m mqtt.Message) {
	s.l.count(func(st *Stats) { st.Received++ })
	s.l.subs.dispatch(s.l.quiet, Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retain: m.Retained()})
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
