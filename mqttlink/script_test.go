package mqttlink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink/wire"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// script is a broker that does what a test scripts, on a real loopback socket or
// on pipes, packet by packet. Zero values make it behave.
type script struct {
	silent     bool                                  // never answers anything
	connack    byte                                  // return code
	hangUp     bool                                  // closes instead of a CONNACK
	suback     byte                                  // added to the granted QoS
	noSuback   bool                                  // leaves SUBSCRIBE unanswered
	noUnsuback bool                                  // leaves UNSUBSCRIBE unanswered
	answer     func(session, n int) bool             // whether to acknowledge the n-th PUBLISH of a session
	drop       func(session, n int) bool             // whether to close upon it, without acknowledging
	greeting   []byte                                // sent to each new connection before anything is read
	onConnect  func(session int, c net.Conn)         // called after CONNACK
	onPacket   func(packets.ControlPacket, net.Conn) // called for each packet

	mu       sync.Mutex
	sessions int
	got      []arrival
	packets  []packets.ControlPacket
	changed  chan struct{}
	wg       sync.WaitGroup
	conns    []net.Conn
}

// arrival is a PUBLISH as it came in.
type arrival struct {
	session int
	qos     byte
	payload string
}

// listen serves on a free loopback port and returns its address.
func (s *script) listen(t *testing.T, c *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if c != nil {
				conn = tls.Server(conn, c)
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return l.Addr().String()
}

// pipe is a dialer to the script without sockets, for tests on a fake clock.
func (s *script) pipe(_ context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	s.wg.Go(func() { s.serve(there) })
	return readPipe{here}, nil
}

// readPipe is a pipe whose other end has read what was written.
type readPipe struct{ net.Conn }

var _ wire.Gauge = readPipe{}

func (readPipe) Unsent() (n int, ok bool) { return 0, true }

func (s *script) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	if s.silent {
		io.Copy(io.Discard, c)
		return
	}
	if len(s.greeting) > 0 {
		c.Write(s.greeting)
	}
	session, n := 0, 0
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		s.note(func() { s.packets = append(s.packets, p) })
		if s.onPacket != nil {
			s.onPacket(p, c)
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if s.hangUp {
				return
			}
			s.note(func() { s.sessions++; session = s.sessions })
			a := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			a.ReturnCode = s.connack
			a.Write(c)
			if s.connack != 0 {
				return
			}
			if s.onConnect != nil {
				s.onConnect(session, c)
			}
		case *packets.SubscribePacket:
			if s.noSuback {
				continue
			}
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID = p.MessageID
			for _, q := range p.Qoss {
				a.ReturnCodes = append(a.ReturnCodes, q|s.suback)
			}
			a.Write(c)
		case *packets.UnsubscribePacket:
			if s.noUnsuback {
				continue
			}
			a := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
			a.MessageID = p.MessageID
			a.Write(c)
		case *packets.PublishPacket:
			n++
			if s.drop != nil && s.drop(session, n) {
				return
			}
			s.note(func() { s.got = append(s.got, arrival{session, p.Qos, string(p.Payload)}) })
			if p.Qos == 1 && (s.answer == nil || s.answer(session, n)) {
				a := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				a.MessageID = p.MessageID
				a.Write(c)
			}
		case *packets.PingreqPacket:
			packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.DisconnectPacket:
			return
		}
	}
}

func (s *script) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait blocks until cond holds; it is called with the script locked.
func (s *script) wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		if cond() {
			s.mu.Unlock()
			return
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// payloads returns what has arrived, in order.
func (s *script) payloads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, a := range s.got {
		all = append(all, a.payload)
	}
	return all
}

// eager makes reconnecting immediate.
var eager = Backoff{Min: time.Millisecond, Max: time.Millisecond}

// options are DefaultOptions for a broker at addr.
func options(addr string) Options {
	o := DefaultOptions()
	o.Endpoint = "mqtt://" + addr
	o.ClientID = "test"
	o.Backoff = eager
	return o
}

// run makes a link and runs it until the test ends.
func run(t *testing.T, o Options) *Link {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

// publish sends payloads with one QoS to one topic.
func publish(t *testing.T, c Client, qos byte, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if err := c.Publish(t.Context(), Message{Topic: "t", Payload: []byte(p), QoS: qos}); err != nil {
			t.Fatal(err)
		}
	}
}

// flush waits until everything is delivered.
func flush(t *testing.T, l *Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// lastError waits for the next explanation.
func lastError(t *testing.T, l *Link) string {
	t.Helper()
	for range 2000 {
		if e := l.Stats().LastError; e != "" {
			return e
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("no error came")
	return ""
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n")
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// wantFault checks that err is a Fault of this kind, in one line that holds all
// of the given words.
func wantFault(t *testing.T, err error, kind Kind, words ...string) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("%v (%T) is not a Fault", err, err)
	}
	if f.Kind != kind {
		t.Errorf("kind %s, want %s: %s", f.Kind, kind, f.Line)
	}
	line := Explain(err)
	if strings.ContainsAny(line, "\n\r") {
		t.Errorf("more than one line: %q", line)
	}
	for _, w := range words {
		if !strings.Contains(line, w) {
			t.Errorf("%q does not hold %q", line, w)
		}
	}
}
