//go:build faults && linux

package netns

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/faults/relay"
)

// pair is two namespaces with a relay between them.
func pair(t *testing.T) (a, b *Namespace, r *relay.Relay) {
	t.Helper()
	if os.Geteuid() != 0 {
		binary.Lacks(t, "network namespaces need root")
	}
	space := func(address string) (*Namespace, io.ReadWriteCloser) {
		n, err := New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		f, err := n.TUN("tun0", netip.MustParseAddr(address))
		if err != nil {
			t.Fatal(err)
		}
		return n, f
	}
	a, fa := space("10.77.0.1")
	b, fb := space("10.77.0.2")
	r = relay.New(fa, fb, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a, b, r
}

// echo answers everything at 10.77.0.2:7.
func echo(t *testing.T, n *Namespace) {
	t.Helper()
	l, err := n.Listen(t.Context(), "10.77.0.2:7")
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
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
}

// round sends 1 MB to the echo and back.
func round(c net.Conn) error {
	text := strings.Repeat("0123456789abcdef", 1<<16)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, text)
		sent <- err
	}()
	back := make([]byte, len(text))
	if _, err := io.ReadFull(c, back); err != nil {
		return err
	}
	if string(back) != text {
		return fmt.Errorf("other bytes came back")
	}
	return <-sent
}

// TCP of the two kernels' own gets its bytes through in order whatever the relay
// does, as long as it passes something.
func TestTCPOverTheRelay(t *testing.T) {
	a, b, r := pair(t)
	echo(t, b)
	c, err := a.Dial(t.Context(), "10.77.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tc := range []struct {
		name string
		c    relay.Conditions
	}{
		{"at once", relay.Conditions{}},
		{"loss", relay.Conditions{Loss: 0.02}},
		{"reordered", relay.Conditions{Jitter: 5 * time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Set(tc.c, tc.c)
			if err := round(c); err != nil {
				t.Error(err)
			}
		})
	}
	ab, ba := r.Counts()
	t.Logf("%+v, %+v", ab, ba)
	if ab.Lost == 0 || ba.Overtaken == 0 {
		t.Error("nothing was lost, or overtaken")
	}

	// A connection that is swallowed stays open, and continues.
	r.Set(relay.Conditions{Cut: true}, relay.Conditions{})
	if _, err := io.WriteString(c, "half"); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := c.Read(make([]byte, 4)); err == nil {
		t.Errorf("%d bytes passed a cut", n)
	}
	r.Set(relay.Conditions{}, relay.Conditions{})
	c.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Error(err)
	}
}

// An interface that is down is a network that is not there, and comes back.
func TestInterfaceDown(t *testing.T) {
	a, b, _ := pair(t)
	echo(t, b)
	for range 2 {
		if err := a.Up("tun0", false); err != nil {
			t.Fatal(err)
		}
		if c, err := a.Dial(t.Context(), "10.77.0.2:7"); err == nil || !strings.Contains(err.Error(), "unreachable") {
			t.Errorf("%v, %v", c, err)
		}
		if err := a.Up("tun0", true); err != nil {
			t.Fatal(err)
		}
		c, err := a.Dial(t.Context(), "10.77.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		if err := round(c); err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

// Programs see the interfaces of their namespace, and no others.
func TestProgram(t *testing.T) {
	a, _, _ := pair(t)
	var out strings.Builder
	c := exec.Command("cat", "/proc/net/dev")
	c.Stdout = &out
	if err := a.Start(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 4 || !strings.Contains(out.String(), "tun0:") {
		t.Errorf("a program sees\n%s", out.String())
	}
}
