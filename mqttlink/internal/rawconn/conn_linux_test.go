package rawconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"pithings/mqttlink/wire"

	"golang.org/x/net/nettest"
)

// rawBytes is as much as raw calls take (maxRaw), also if there are none.
const rawBytes = 16 << 10

// pair returns the two ends of a TCP connection.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestKeepsToNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		near, far := pair(t)
		return Wrap(near), Wrap(far), func() { near.Close(); far.Close() }, nil
	})
}

// Errors are those of the connection itself, in every letter: what is made of them
// goes by their texts, too.
func TestErrors(t *testing.T) {
	reset := func(far net.Conn) {
		_ = far.(*net.TCPConn).SetLinger(0)
		far.Close()
	}
	for _, test := range []struct {
		name string
		do   func(c, far net.Conn) error
		is   error
	}{
		{"read of a closed one", func(c, far net.Conn) error { c.Close(); return read(c) }, net.ErrClosed},
		{"write to a closed one", func(c, far net.Conn) error { c.Close(); return write(c) }, net.ErrClosed},
		{"end", func(c, far net.Conn) error { far.Close(); return read(c) }, io.EOF},
		{"reset", func(c, far net.Conn) error { reset(far); return read(c) }, syscall.ECONNRESET},
		{"write after a reset", func(c, far net.Conn) error { reset(far); _ = read(c); return write(c) }, syscall.EPIPE},
		{"read time-out", func(c, far net.Conn) error { _ = c.SetDeadline(time.Unix(1, 0)); return read(c) }, os.ErrDeadlineExceeded},
		{"write time-out", func(c, far net.Conn) error { _ = c.SetDeadline(time.Unix(1, 0)); return write(c) }, os.ErrDeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain, far := pair(t)
			want := test.do(plain, far)
			below, far := pair(t)
			got := test.do(Wrap(below), far)
			if !errors.Is(want, test.is) || !errors.Is(got, test.is) {
				t.Errorf("%v; the connection itself: %v", got, want)
			}
			var w, g *net.OpError
			if errors.As(want, &w) != errors.As(got, &g) {
				t.Fatalf("%#v; the connection itself: %#v", got, want)
			}
			if w != nil && (g.Op != w.Op || g.Net != w.Net || g.Err.Error() != w.Err.Error() || g.Timeout() != w.Timeout() || g.Addr.String() != far.LocalAddr().String()) {
				t.Errorf("%v; the connection itself: %v", got, want)
			}
		})
	}
}

func read(c net.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

func write(c net.Conn) error {
	_, err := c.Write([]byte("x"))
	return err
}

// What the kernel has no room for waits, and all of it arrives.
func TestMoreThanTheKernelTakes(t *testing.T) {
	near, far := pair(t)
	c := Wrap(near)
	chunk := bytes.Repeat([]byte("0123456789abcdef"), rawBytes/16)
	const chunks = 1000
	written := make(chan error, 1)
	go func() {
		for range chunks {
			if n, err := c.Write(chunk); n != len(chunk) || err != nil {
				written <- err
				return
			}
		}
		_, err := c.Write(make([]byte, 5*rawBytes))
		written <- errors.Join(err, c.Close())
	}()
	select {
	case err := <-written:
		t.Fatalf("the kernel took %d bytes: %v", chunks*len(chunk), err)
	case <-time.After(50 * time.Millisecond): // it does not, or the test shows less than it could
	}
	got, err := io.ReadAll(Wrap(far))
	if err := errors.Join(err, <-written); err != nil {
		t.Fatal(err)
	}
	if want := append(bytes.Repeat(chunk, chunks), make([]byte, 5*rawBytes)...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d arrived, or others", len(got), len(want))
	}
}

func TestUnsent(t *testing.T) {
	near, _ := pair(t)
	c := Wrap(near)
	g := c.(wire.Gauge)
	if err := write(c); err != nil {
		t.Fatal(err)
	}
	for n, ok := g.Unsent(); n != 0; n, ok = g.Unsent() { // the other end's kernel has it soon
		if !ok || n != 1 {
			t.Fatal(n, ok)
		}
	}
	_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for err := error(nil); err == nil; { // the other end does not read
		_, err = c.Write(make([]byte, rawBytes))
	}
	if n, ok := g.Unsent(); !ok || n < rawBytes {
		t.Error(n, ok)
	}
	c.Close()
	if _, ok := g.Unsent(); ok {
		t.Error("a closed connection has a gauge")
	}
}

func TestOtherConnections(t *testing.T) {
	c, _ := net.Pipe()
	if Wrap(c) != c {
		t.Error("a pipe was wrapped")
	}
}
