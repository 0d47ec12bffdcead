package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/at-wat/mqtt-go"

	"pithings/test/pki"
)

// startUsers is a broker with two users and, for clients without a name, the topics
// below "open".
func startUsers(t *testing.T, anonymous bool) *Broker {
	t.Helper()
	h := hashOf(t, "secret")
	o := Options{AllowAnonymous: anonymous, Users: []User{
		{Name: "ann", Hash: h},
		{Name: "hall", Hash: h, Publish: []string{"home/%u/#", "by-id/%c"}, Subscribe: []string{"home/hall/set", "all/#"}},
	}}
	if anonymous {
		o.Users = append(o.Users, User{Name: "anonymous", Publish: []string{}, Subscribe: []string{"open/#"}})
	}
	return startWith(t, o)
}

func login(user, password string) mqtt.ConnectOption {
	return mqtt.WithUserNamePassword(user, password)
}

func TestOnlyUsersAreLetIn(t *testing.T) {
	b := startUsers(t, false)
	for name, row := range map[string]struct {
		o    mqtt.ConnectOption
		code mqtt.ConnectionReturnCode
	}{
		"right":          {login("ann", "secret"), 0},
		"again":          {login("ann", "secret"), 0},
		"wrong password": {login("ann", "Secret"), 5}, // not authorized [MQTT 3.1.1 table 3.1]
		"no such user":   {login("bob", "secret"), 5},
		"no name":        {mqtt.WithCleanSession(true), 5},
	} {
		_, _, err := tryClient(t, b, "client", nil, mqtt.WithCleanSession(true), row.o)
		for errors.Is(err, mqtt.ErrClosedTransport) { // the client's reader may see the end before its caller sees the CONNACK
			_, _, err = tryClient(t, b, "client", nil, mqtt.WithCleanSession(true), row.o)
		}
		var refused *mqtt.ConnectionError
		if errors.As(err, &refused) && refused.Code != row.code || err != nil && refused == nil || err == nil && row.code != 0 {
			t.Errorf("%s: %v, want code %d", name, err, row.code)
		}
	}
}

// What a user may not do is refused at SUBSCRIBE and PUBLISH, and does not come through
// a wildcard, a will or another's session either.
func TestUsersHaveTheirTopics(t *testing.T) {
	b := startUsers(t, true)
	ann, _ := dialClient(t, b, "ann", mqtt.WithCleanSession(true), login("ann", "secret"))
	ann.subscribe(1, "#")
	hall, _ := dialClient(t, b, "hall1", mqtt.WithCleanSession(true), login("hall", "secret"))

	granted := hall.subscribe(1, "#", "home/+/set", "home/hall/set", "all/+/x", "$share/g/all/#", "$share/g/home/#", "$SYS/#", "all")
	if want := []mqtt.QoS{128, 128, 1, 1, 1, 128, 128, 1}; !slices.Equal(granted, want) {
		t.Errorf("granted %v, want %v", granted, want)
	}
	hall.publish("home/hall/light", "on", 1, false)
	hall.publish("by-id/hall1", "me", 1, false)
	hall.publish("home/kitchen/light", "on", 0, false) // not delivered, and without an answer
	hall.publish("by-id/hall2", "other", 0, false)
	hall.publish("home/hall/last", "", 1, false)
	if got := ann.receive(3); !slices.Equal(got, []string{"home/hall/light on", "by-id/hall1 me", "home/hall/last "}) {
		t.Errorf("ann received %q", got)
	}
	// QoS 1 is not acknowledged: the connection ends [MQTT-3.3.5-2].
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := hall.Publish(ctx, &mqtt.Message{Topic: "home/kitchen/light", QoS: 1}); err == nil || ctx.Err() != nil {
		t.Errorf("publish where the user may not: %v", err)
	}

	anonymous, _ := dialClient(t, b, "nobody", mqtt.WithCleanSession(true))
	if g := anonymous.subscribe(0, "open/door", "home/#"); !slices.Equal(g, []mqtt.QoS{0, 128}) {
		t.Errorf("anonymous granted %v", g)
	}
	_, _, err := tryClient(t, b, "will", nil, mqtt.WithCleanSession(true), login("hall", "secret"), mqtt.WithWill(&mqtt.Message{Topic: "home/kitchen/x"}))
	if err == nil {
		t.Error("a will where the user may not publish was accepted")
	}
}

// A client id belongs to the user whose session it is; to know it is not enough.
func TestAnotherUsersSessionIsLeftAlone(t *testing.T) {
	b := startUsers(t, true)
	ann, _ := dialClient(t, b, "phone", mqtt.WithCleanSession(false), login("ann", "secret"))
	ann.subscribe(1, "all/#")
	_, _, err := tryClient(t, b, "phone", nil, mqtt.WithCleanSession(false), login("hall", "secret"))
	var refused *mqtt.ConnectionError
	if !errors.As(err, &refused) || refused.Code != 2 { // identifier rejected
		t.Errorf("taking the session of another user: %v", err)
	}
	ann.publish("all/x", "still here", 1, false)
	ann.receive(1)
	ann.disconnect()
	if _, _, err := tryClient(t, b, "phone", nil, mqtt.WithCleanSession(true)); err == nil {
		t.Error("an absent user's session was taken")
	}
	if _, present := dialClient(t, b, "phone", mqtt.WithCleanSession(false), login("ann", "secret")); !present {
		t.Error("the session is gone")
	}
}

// The process's own clients come in without a login, when all places are taken, and
// when others have their id.
func TestOwnClientsAlwaysGetIn(t *testing.T) {
	o := Options{MaxClients: 3, AllowAnonymous: true}
	b := startWith(t, o)
	first := dialWire(t, b.Addr())
	first.connect("agent", 0)
	first.subscribe(1, "stolen/#")
	for _, id := range []string{"b", "c"} {
		dialWire(t, b.Addr()).connect(id, 2)
	}
	dialWire(t, b.Addr()).closed() // no place left, for one of the same address

	own := dialOwn(t, b)
	if present := own.connect("agent", 0); present != 0 {
		t.Error("the agent has a stranger's session")
	}
	first.closed()
	own.subscribe(1, "x")
	own.send(publishPacket("stolen/x", nil, 1, 2, false))
	own.await(4)
	own.send(publishPacket("x", []byte("mine"), 1, 3, false))
	if topic, payload, _ := own.await(3).message(); topic != "x" || payload != "mine" {
		t.Errorf("received %s %s", topic, payload)
	}
	// and no other client gets its id
	w := dialWire(t, b.Addr())
	w.send(connectPacket(4, 2, "agent"))
	if p := w.await(2); p.body[1] != 2 {
		t.Errorf("CONNACK % x", p.body)
	}
	own.send(publishPacket("x", []byte("still"), 0, 0, false))
	own.await(3)

	// a second one of ours takes over, as everywhere
	again := dialOwn(t, b)
	if present := again.connect("agent", 0); present != 1 {
		t.Error("our own session is gone")
	}
	own.closed()
}

func dialOwn(t *testing.T, b *Broker) *wire {
	t.Helper()
	c, err := b.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w := dialWire(t, b.Addr())
	w.Close()
	w.Conn = c
	w.r.Reset(c)
	return w
}

// A server has no DISCONNECT in MQTT 3.1.1 (section 3.14): the connection just ends.
// MQTT 5 gets one with the reason.
func TestDisconnectIsForMQTT5Only(t *testing.T) {
	for level, want := range map[byte]int{4: 0, 5: 1} {
		b := start(t)
		w := dialWire(t, b.Addr())
		w.send(connectPacket(level, 0, "x"))
		w.await(2)
		again := dialWire(t, b.Addr())
		again.send(connectPacket(level, 0, "x")) // takes over
		again.await(2)
		b.Close()
		for name, c := range map[string]*wire{"taken over": w, "shut down": again} {
			got := 0
			for {
				p, err := c.next()
				if err != nil {
					break
				}
				if p.kind == 14 {
					got++
				}
			}
			if got != want {
				t.Errorf("level %d, %s: %d DISCONNECTs, want %d", level, name, got, want)
			}
		}
	}
}

// A retained message for which there is no room is not acknowledged with QoS 1, so that
// no client takes it for kept: MQTT 5 gets a code, MQTT 3.1.1 has its connection closed
// [MQTT-4.8.0-2]. With QoS 0 it is delivered, and what was kept before is dropped, as
// it is not true any more [MQTT-3.3.1-7].
func TestRetainedMessagesBeyondTheirShareAreRefused(t *testing.T) {
	b := startWith(t, Options{MaxMemory: MinMemory})
	fill := dialWire(t, b.Addr())
	fill.connect("fill", 2)
	fill.retain("kept/a", "old")
	for i := range 20 {
		fill.send(publishPacket("fill/"+string(rune('a'+i)), make([]byte, 200_000), 0, 0, true))
	}
	fill.send([]byte{0xc0, 0})
	fill.await(13) // all have been processed
	s := dialWire(t, b.Addr())
	s.connect("sub", 2)
	s.subscribe(0, "kept/#")
	s.await(3) // the old one
	if st := b.Stats(); st.RetainedRefused == 0 || st.RetainedBytes > st.Max/2 {
		t.Fatalf("%+v", st)
	}

	w := dialWire(t, b.Addr())
	w.connect("three", 2)
	w.send(publishPacket("kept/a", make([]byte, 300_000), 1, 5, true))
	w.closed()

	five := dialWire(t, b.Addr())
	five.send(connectPacket(5, 2, "five"))
	five.await(2)
	for qos, kind := range map[byte]byte{1: 4, 2: 5} {
		five.send(frame(0x31|qos<<1, str("kept/a"), []byte{0, qos, 0}, make([]byte, 300_000)))
		if p := five.await(kind); len(p.body) < 3 || p.body[2] != 0x97 {
			t.Errorf("QoS %d: % x, want quota exceeded", qos, p.body)
		}
	}

	zero := dialWire(t, b.Addr())
	zero.connect("zero", 2)
	zero.send(publishPacket("kept/a", make([]byte, 300_000), 0, 0, true))
	if topic, payload, _ := s.await(3).message(); topic != "kept/a" || len(payload) != 300_000 {
		t.Errorf("received %s, %d bytes", topic, len(payload)) // the first one that is delivered
	}
	late := dialWire(t, b.Addr())
	late.connect("late", 2)
	late.subscribe(0, "kept/a")
	late.nothing() // what is not true any more is not kept

	own := dialOwn(t, b) // has a share of its own
	own.connect("own", 2)
	own.retain("own/status", "online")
	late.subscribe(0, "own/status")
	late.await(3)
}

// One place in a queue after the other: the client that costs most goes, the others
// keep their messages.
func TestTheClientThatCostsMostIsDropped(t *testing.T) {
	var logged lockedBuffer
	b, err := Start("127.0.0.1:0", Options{MaxMemory: MinMemory}, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, id := range []string{"small", "large"} {
		w := dialWire(t, b.Addr())
		w.connect(id, 0)
		w.subscribe(1, id)
		w.send([]byte{0xe0, 0})
		w.closed()
	}
	p := dialWire(t, b.Addr())
	p.connect("publisher", 2)
	p.send(publishPacket("small", []byte("one"), 1, 1, false))
	p.await(4)
	for range 60 {
		p.send(publishPacket("large", make([]byte, 100_000), 1, 1, false))
		p.await(4)
	}
	if s := b.Stats(); s.Used > s.Max || s.Evicted != 1 {
		t.Errorf("%+v", s)
	}
	w := dialWire(t, b.Addr())
	if w.connect("large", 0) != 0 {
		t.Error("the session that cost most is still there")
	}
	w = dialWire(t, b.Addr())
	if w.connect("small", 0) != 1 {
		t.Error("a small session was dropped")
	}
	if _, payload, _ := w.await(3).message(); payload != "one" {
		t.Errorf("received %q", payload)
	}
	logged.mu.Lock()
	defer logged.mu.Unlock()
	if n := strings.Count(logged.String(), "\n"); n != 1 || !strings.Contains(logged.String(), "client=large") {
		t.Errorf("logged %s", logged.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// A client with a certificate needs no password: its user is the common name.
func TestCertificates(t *testing.T) {
	certs := pki.New(t)
	soon := time.Now().Add(time.Hour)
	certs.Server("127.0.0.1", soon)
	for _, name := range []string{"hall", "stranger"} {
		certs.Client(name, soon)
	}
	pem, err := os.ReadFile(certs.File("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	server, err := tls.LoadX509KeyPair(certs.File("server.pem"), certs.File("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	b := startWith(t, Options{
		TLS:   &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool},
		Users: []User{{Name: "hall", Publish: []string{"home/%u"}, Subscribe: []string{"home/hall"}}, {Name: "ann", Hash: hashOf(t, "secret")}},
	})
	for name, row := range map[string]struct {
		cert string
		o    mqtt.ConnectOption
		ok   bool
	}{
		"certificate of a user":              {"hall", mqtt.WithCleanSession(true), true},
		"certificate without a user":         {"stranger", mqtt.WithCleanSession(true), false},
		"password":                           {"", login("ann", "secret"), true},
		"certificate and the name of others": {"hall", login("ann", "secret"), true}, // it is hall
		"neither":                            {"", mqtt.WithCleanSession(true), false},
		"user without a password":            {"", login("hall", ""), false},
	} {
		c := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
		if row.cert != "" {
			pair, err := tls.LoadX509KeyPair(certs.File(row.cert+".pem"), certs.File(row.cert+".key"))
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		cl, _, err := tryClient(t, b, "x"+row.cert, []mqtt.DialOption{mqtt.WithTLSConfig(c)}, mqtt.WithCleanSession(true), row.o)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && row.cert == "hall" {
			if g := cl.subscribe(0, "home/hall", "home/ann"); !slices.Equal(g, []mqtt.QoS{0, 128}) {
				t.Errorf("%s: granted %v", name, g)
			}
			cl.publish("home/hall", strings.Repeat("x", 100_000), 0, false)
			cl.receive(1)
		}
	}
	// its own connections are plain
	dialOwn(t, b).connect("own", 2)
	if _, err := net.Dial("tcp", b.Addr()); err != nil {
		t.Fatal(err)
	}
}

// Filters are bounded in number and size for each client, which keeps those that it
// has; so are the levels of filters and topics.
func TestSubscriptionsOfAClientAreBounded(t *testing.T) {
	b := startWith(t, Options{MaxMemory: MinMemory})
	w := dialWire(t, b.Addr())
	w.connect("many", 2)
	granted := 0
	for i := range 1000 {
		if w.subscribe(0, "f/"+strings.Repeat("x", i))[0] == 0 {
			granted++
		}
	}
	if granted < 300 || granted > 500 {
		t.Errorf("%d filters were granted, want about a quarter of the budget", granted)
	}
	if codes := w.subscribe(0, "f/x"); codes[0] != 0 {
		t.Error("a subscription that is there already was refused")
	}
	w.send(frame(0xa2, []byte{0, 1}, str("f/x"), str("f/xx")))
	w.await(11)
	if codes := w.subscribe(0, "new"); codes[0] != 0 {
		t.Error("after an UNSUBSCRIBE there is no room")
	}
	if b.Stats().Evicted != 0 || b.Stats().SubscriptionsOver == 0 {
		t.Errorf("%+v", b.Stats())
	}
	own := dialOwn(t, b)
	own.connect("own", 2)
	for range 2 { // ours is not bounded
		if codes := own.subscribe(0, "a", "b/c"); !bytes.Equal(codes, []byte{0, 0}) {
			t.Errorf("own: % x", codes)
		}
	}

	deep := dialWire(t, b.Addr())
	deep.connect("deep", 2)
	if codes := deep.subscribe(0, strings.Repeat("/", maxLevels-1), strings.Repeat("/", maxLevels)); !bytes.Equal(codes, []byte{0, 0x80}) {
		t.Errorf("SUBACK % x", codes)
	}
	deep.send(publishPacket(strings.Repeat("/", maxLevels-1), nil, 0, 0, false))
	deep.await(3)
	deep.send(publishPacket(strings.Repeat("/", maxLevels), nil, 0, 0, false))
	deep.closed()
}
