package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink/broker"
	"pithings/mqttlink/packet"
)

// meter is a device that publishes at its start and every interval, and answers what it
// receives.
type meter struct {
	name     string
	interval time.Duration
	payload  []byte
	qos0     bool // its values have QoS 0
	next     time.Duration
}

func (m *meter) Online(now time.Duration, out Out) {
	m.next = now + m.interval
	out.Publish(packet.Message{Topic: m.name + "/hello", Payload: []byte("1"), QoS: 1})
}

func (m *meter) Receive(_ time.Duration, got *packet.Message, out Out) {
	if string(got.Payload) == "again" {
		out.Reconnect()
		return
	}
	out.Publish(packet.Message{Topic: m.name + "/answer", Payload: append([]byte(nil), got.Payload...), QoS: 1})
}

func (m *meter) Tick(now time.Duration, out Out) {
	m.next = now + m.interval
	value := packet.Message{Topic: m.name + "/value", Payload: m.payload, QoS: 1}
	if m.qos0 {
		value.QoS = 0
	}
	out.Publish(value)
}

func (m *meter) Wake() time.Duration   { return m.next }
func (m *meter) Offline(time.Duration) {}

func nameOf(i int) string { return fmt.Sprintf("dev-%04d", i) }

// meters are options for n of them.
func meters(n int, to netip.AddrPort, interval time.Duration) Options {
	return Options{
		Devices: n, Ramp: 10000,
		Addresses: func(context.Context) ([]netip.AddrPort, error) { return []netip.AddrPort{to}, nil },
		Client:    func(i int) Client { return &meter{name: nameOf(i), interval: interval, payload: []byte("23")} },
		Session: func(i int) Session {
			return Session{
				Login:   packet.Login{ClientID: nameOf(i), KeepAlive: 30, Will: &packet.Message{Topic: nameOf(i) + "/will", Payload: []byte("x"), QoS: 1}},
				Filters: []packet.Filter{{Topic: nameOf(i) + "/ask"}},
			}
		},
	}
}

// both runs a test with each carrier.
func both(t *testing.T, f func(t *testing.T, portable bool)) {
	t.Run("best", func(t *testing.T) { f(t, false) })
	t.Run("portable", func(t *testing.T) { f(t, true) })
}

func startBroker(t testing.TB) *broker.Broker {
	t.Helper()
	b, err := broker.Start("127.0.0.1:0", broker.Options{MaxClients: 5000, MaxMemory: 256 << 20}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// run runs an engine until the test, or stop, ends it.
func run(t testing.TB, o Options) (e *Engine, stop func()) {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	var done atomic.Bool
	stop = func() {
		if done.Swap(true) {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return e, stop
}

// until waits for a state of an engine.
func until(t testing.TB, e *Engine, what string, is func(s Stats) bool) Stats {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		s := e.Stats()
		if is(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %s: %+v", what, s)
		}
	}
}

// watch returns what a subscriber of everything receives.
func watch(t *testing.T, b *broker.Broker) (client mqtt.Client, got chan mqtt.Message) {
	t.Helper()
	got = make(chan mqtt.Message, 100_000)
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID("watch"))
	for _, do := range []func() mqtt.Token{c.Connect, func() mqtt.Token {
		return c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { got <- m })
	}} {
		if token := do(); token.Wait() && token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c, got
}

// Devices connect, publish with QoS 1, answer what they receive, begin a new session when they
// want one, and end without a will.
func TestDevices(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		const n = 200
		b := startBroker(t)
		client, got := watch(t, b)
		o := meters(n, netip.MustParseAddrPort(b.Addr()), time.Second)
		o.portable, o.Shards = portable, 3
		e, stop := run(t, o)
		until(t, e, "connected, with 300 acknowledged messages", func(s Stats) bool { return s.Connected == n && s.Acked > 300 && s.Everyone > 0 })
		client.Publish(nameOf(7)+"/ask", 0, false, "what")
		client.Publish(nameOf(n-1)+"/ask", 1, false, strings.Repeat("long", 20000))
		client.Publish(nameOf(9)+"/ask", 0, false, "again")
		until(t, e, "with one more session", func(s Stats) bool { return s.Connected == n && s.Sessions == n+1 && s.Received == 3 })
		stop()
		s := e.Stats()
		if s.Connected != n || s.Lost != 0 || len(s.Errors) > 0 || s.Acked+s.Unacked != s.Published || s.Dropped > 0 || s.Attempts != n+1 || s.Latency.Count() != s.Acked {
			t.Errorf("at the end: %+v", s)
		}
		end := make(chan struct{})
		client.Subscribe("end", 1, func(mqtt.Client, mqtt.Message) { close(end) }).Wait()
		client.Publish("end", 1, false, "").Wait()
		<-end
		hellos, values, answers := 0, 0, 0
		for len(got) > 0 {
			m := <-got
			switch _, what, _ := strings.Cut(m.Topic(), "/"); what {
			case "will":
				t.Errorf("%s: a session did not end cleanly", m.Topic())
			case "hello":
				hellos++
			case "value":
				values++
			case "answer":
				answers++
				if m.Topic() != nameOf(7)+"/answer" && len(m.Payload()) != 80000 {
					t.Errorf("%s: %d bytes", m.Topic(), len(m.Payload()))
				}
			}
		}
		if hellos != n+1 || answers != 2 || uint64(hellos+values+answers) < s.Acked {
			t.Errorf("%d hellos, %d values and %d answers arrived; %d were acknowledged", hellos, values, answers, s.Acked)
		}
	})
}

// A broker that is not there is tried again, and found when it is.
func TestRefused(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		o := meters(20, netip.MustParseAddrPort(addr), time.Hour)
		o.portable, o.Backoff = portable, Backoff{Min: 20 * time.Millisecond, Max: 50 * time.Millisecond}
		e, _ := run(t, o)
		until(t, e, "refused", func(s Stats) bool { return s.Errors["connection refused"] >= 40 })
		var b *broker.Broker
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // a connection of another test may have the port for a moment
			if b, err = broker.Start(addr, broker.Options{}, slog.New(slog.DiscardHandler)); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		defer b.Close()
		until(t, e, "connected", func(s Stats) bool { return s.Connected == 20 })
	})
}

// fake is a broker of one test: it is given each connection.
func fake(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// A broker that reads nothing costs a device no more than what may be unsent, and its
// connection.
func TestNetworkThatTakesNothing(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		to := fake(t, func(c net.Conn) {
			c.(*net.TCPConn).SetReadBuffer(4096)
			io.ReadFull(c, make([]byte, 2))
			c.Write([]byte(accepted))
			<-t.Context().Done()
			c.Close()
		})
		o := meters(1, to, time.Millisecond)
		o.Client = func(int) Client { return &flood{} }
		o.portable = portable
		e, _ := run(t, o)
		until(t, e, "cut off", func(s Stats) bool { return s.Errors["the network takes nothing"] > 0 })
	})
}

// flood publishes 100 KB with QoS 0 at each step.
type flood struct{ meter }

func (f *flood) Wake() time.Duration { return 0 }
func (f *flood) Tick(_ time.Duration, out Out) {
	out.Publish(packet.Message{Topic: "t", Payload: make([]byte, 100_000)})
}

// What answers a CONNECT is named.
func TestNoBroker(t *testing.T) {
	for _, tc := range []struct{ answer, want string }{
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server answers"},
		{"\x15\x03\x01\x00\x02\x02\x46", "the broker speaks TLS: use mqtts://"},
		{"\x20\x02\x00\x05", "CONNACK return code 5: not authorised"},
		{"\x20\x02\x00\x07", "CONNACK return code 7: not authorised"},
		{"\x20\x02\x00\x63", "CONNACK return code 99: an unknown reason"},
		{"\x20\x03\x00\x00\x00", "protocol error: CONNACK: a malformed packet"},
		{"\x30\x03\x00\x01t", "protocol error: the first packet is no CONNACK"},
		{"\x20\x02\x00\x00\x90\x04\x00\x01\x00\x00", "protocol error: a SUBACK that does not fit the SUBSCRIBE"},
		{"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x10\x00", "protocol error: a packet of type 1, which no broker sends now"},
		{"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x32\xff\xff\xff\x7f", "protocol error: a packet of 268435455 bytes"},
		{"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x30\x80\x80\x80\x80\x01", "protocol error: a packet of impossible length"},
		{"", "the broker closed the connection"},
	} {
		to := fake(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 2))
			c.Write([]byte(tc.answer))
			if tc.answer == "" {
				c.Close()
			}
			io.Copy(io.Discard, c)
			c.Close()
		})
		for _, portable := range []bool{false, true} {
			o := meters(1, to, time.Hour)
			o.portable = portable
			e, stop := run(t, o)
			until(t, e, tc.want, func(s Stats) bool { return s.Errors[tc.want] > 0 || tc.answer == "" && len(s.Errors) > 0 })
			stop()
		}
	}
}

func TestOptions(t *testing.T) {
	good := meters(1, netip.AddrPort{}, time.Second)
	for _, change := range []func(*Options){
		func(o *Options) { o.Devices = 0 },
		func(o *Options) { o.Devices = MaxDevices + 1 },
		func(o *Options) { o.Ramp = 0 },
		func(o *Options) { o.Client = nil },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	o := good
	wrong := errors.New("no such host")
	o.Addresses = func(context.Context) ([]netip.AddrPort, error) { return nil, wrong }
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, wrong) {
		t.Errorf("%v, want %v", err, wrong)
	}
}
