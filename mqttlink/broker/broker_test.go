package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/broker/passwd"
)

func start(t testing.TB) *Broker {
	t.Helper()
	return startWith(t, Options{})
}

func startWith(t testing.TB, o Options) *Broker {
	t.Helper()
	b, err := Start("127.0.0.1:0", o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// A network address without a login is refused; each line of the message corrects it.
func TestNetworkAddressWithoutLoginIsRefused(t *testing.T) {
	ann := []User{{Name: "ann", Hash: hashOf(t, "secret")}}
	for _, tt := range []struct {
		addr string
		o    Options
		want error
	}{
		{"127.0.0.1:0", Options{}, nil},
		{"localhost:0", Options{}, nil},
		{"[::1]:0", Options{}, nil},
		{"0.0.0.0:0", Options{}, ErrNoLogin},
		{":0", Options{}, ErrNoLogin},
		{"[::]:0", Options{}, ErrNoLogin},
		{"192.0.2.1:0", Options{}, ErrNoLogin},
		{"example.com:0", Options{}, ErrNoLogin},
		{"0.0.0.0:0", Options{TLS: &tls.Config{}}, ErrNoLogin}, // encrypted, but open to every client
		{"0.0.0.0:0", Options{AllowAnonymous: true}, nil},
		{"0.0.0.0:0", Options{Users: ann}, nil},
		{"0.0.0.0:0", Options{TLS: &tls.Config{ClientCAs: x509.NewCertPool()}}, nil},
	} {
		if err := tt.o.Check(tt.addr); !errors.Is(err, tt.want) {
			t.Errorf("%s %+v: %v, want %v", tt.addr, tt.o, err, tt.want)
		}
	}
	b, err := Start("0.0.0.0:0", Options{}, nil)
	if !errors.Is(err, ErrNoLogin) || b != nil {
		t.Errorf("Start: %v", err)
	}
	if _, err := Start("nonsense", Options{}, nil); err == nil {
		t.Error("an address without port was accepted")
	}
}

func hashOf(t *testing.T, password string) string {
	t.Helper()
	h, err := passwd.New(password)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTakenPort(t *testing.T) {
	b := start(t)
	if _, err := Start(b.Addr(), Options{}, nil); !Taken(err) || !strings.Contains(err.Error(), b.Addr()) {
		t.Errorf("second broker on %s: %v", b.Addr(), err)
	}
}

// A client that never speaks must not hold up Close, and nothing may stay behind.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	b := start(t)
	silent, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	talking, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer talking.Close()
	// CONNECT, MQTT 3.1.1, clean session, keep-alive 60 s, client id "x"
	talking.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"))
	var ack [4]byte
	if _, err := io.ReadFull(talking, ack[:]); err != nil || ack != [4]byte{0x20, 2, 0, 0} {
		t.Fatalf("CONNACK % x, %v", ack, err)
	}
	b.Close()
	b.Close() // again does nothing
	for _, c := range []net.Conn{silent, talking} {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("connection still open: %v", err)
		}
	}
	for range 500 { // the library does not wait for its last goroutines to return
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

func TestTooLargePacketEndsTheConnection(t *testing.T) {
	b := start(t)
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}) // a CONNECT of 256 MB
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, io.EOF) == false && !strings.Contains(err.Error(), "reset") {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestEndpoint(t *testing.T) {
	b, err := Start("0.0.0.0:0", Options{AllowAnonymous: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if e := b.Endpoint(); !strings.HasPrefix(e, "mqtt://127.0.0.1:") {
		t.Errorf("endpoint %s", e)
	}
}
