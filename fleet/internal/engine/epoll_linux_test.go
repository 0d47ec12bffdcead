package engine

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// On loopback, devices beyond the ports of one address connect from the next.
func TestSources(t *testing.T) {
	from := make(chan string, 2)
	to := fake(t, func(c net.Conn) { from <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
	for _, tc := range []struct {
		device int
		want   string
	}{{0, "127.0.0.1"}, {perSource - 1, "127.0.0.1"}, {perSource, "127.0.0.2"}, {3*perSource + 1, "127.0.0.4"}} {
		c := &epoll{}
		fd, err := c.socket(to, tc.device)
		if err != nil && fd < 0 {
			t.Fatal(err)
		}
		select {
		case got := <-from:
			if got != tc.want {
				t.Errorf("device %d connects from %s, want %s", tc.device, got, tc.want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("device %d does not connect", tc.device)
		}
		os.NewFile(uintptr(fd), "").Close()
	}
}

// An address of IPv6 works, too.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	fd, err := connect(netip.MustParseAddrPort(l.Addr().String()), 1)
	if fd < 0 {
		t.Fatal(err)
	}
	defer os.NewFile(uintptr(fd), "").Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// The zone of a link-local address is an interface's name or its index.
func TestZones(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]uint32{"lo": uint32(lo.Index), "23": 23, "": 0} {
		to, ok := sockaddr(netip.MustParseAddr("fe80::1").WithZone(zone), 1883).(*unix.SockaddrInet6)
		if !ok || to.ZoneId != want || to.Port != 1883 {
			t.Errorf("zone %q: %+v, want %d", zone, to, want)
		}
	}
}

// A shard that has nothing due is asleep until it is woken, and not a poll.
func TestPatience(t *testing.T) {
	c := &epoll{s: &shard{e: &Engine{start: time.Now()}}}
	for until, want := range map[time.Duration][2]int{0: {1, 1}, time.Second: {900, 1001}, time.Duration(never): {1 << 29, 1 << 30}} {
		if got := c.patience(until); got < want[0] || got > want[1] {
			t.Errorf("until %v: %d ms, want %d to %d", until, got, want[0], want[1])
		}
	}
}
