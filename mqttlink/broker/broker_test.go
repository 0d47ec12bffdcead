package broker

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T) *Broker {
	t.Helper()
	b, err := Start("127.0.0.1:0", Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		addr    string
		network bool
		want    error
	}{
		{"127.0.0.1:0", false, nil},
		{"localhost:0", false, nil},
		{"0.0.0.0:0", false, ErrNotLoopback},
		{":0", false, ErrNotLoopback},
		{"192.0.2.1:0", false, ErrNotLoopback},
		{"example.com:0", false, ErrNotLoopback},
		{"0.0.0.0:0", true, nil},
	} {
		b, err := Start(tt.addr, Options{AllowNetwork: tt.network}, nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.addr, err, tt.want)
		}
		if b != nil {
			b.Close()
		}
	}
	if _, err := Start("nonsense", Options{}, nil); err == nil {
		t.Error("an address without port was accepted")
	}
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
	b, err := Start("0.0.0.0:0", Options{AllowNetwork: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if e := b.Endpoint(); !strings.HasPrefix(e, "mqtt://127.0.0.1:") {
		t.Errorf("endpoint %s", e)
	}
}
