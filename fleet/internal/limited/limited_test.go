package limited

import (
	"errors"
	"net"
	"testing"
)

// A listener that is full accepts again when a connection ends, and its end does not wait for that.
func TestListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, err := l.Accept()
	if err != nil || l.Open() != 1 {
		t.Fatalf("%d open, %v", l.Open(), err)
	}
	ended := make(chan error, 1)
	accept := func() {
		_, err := l.Accept()
		ended <- err
	}
	go accept()
	first.Close()
	first.Close() // makes room once
	if err := <-ended; err != nil || l.Open() != 1 {
		t.Fatalf("%d open, %v", l.Open(), err)
	}
	go accept()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want %v", err, net.ErrClosed)
	}
}
