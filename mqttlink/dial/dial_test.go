package dial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// listener accepts connections on this machine and returns its port.
func listener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// fakeAvahi answers requests as the daemon does, with what answer returns.
func fakeAvahi(t *testing.T, answer func(request string) string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
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
				line, err := bufio.NewReader(c).ReadString('\n')
				if err == nil {
					_, _ = io.WriteString(c, answer(strings.TrimSuffix(line, "\n")))
				}
			}()
		}
	}()
	return socket
}

// newResponder is a host on the local link: it answers questions with what answer returns.
func newResponder(t *testing.T, conn *net.UDPConn, answer func(q dnsmessage.Message) [][]byte) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 9000)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil {
				continue
			}
			for _, b := range answer(q) {
				_, _ = conn.WriteToUDPAddrPort(b, from)
			}
		}
	}()
}

// near listens on loopback, and returns how to ask there.
func near(t *testing.T) (*net.UDPConn, link) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return conn, link{local: loopback, group: conn.LocalAddr().(*net.UDPAddr).AddrPort(), near: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, zone: "lo"}
}

// reply answers q with an address of each kind, and what change makes of it.
func reply(t *testing.T, q dnsmessage.Message, change func(*dnsmessage.Message), addrs ...string) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
	for _, text := range addrs {
		a := netip.MustParseAddr(text)
		h := dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET | flush, TTL: 10}
		if a.Is4() && q.Questions[0].Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		} else if a.Is6() && q.Questions[0].Type == dnsmessage.TypeAAAA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	if len(m.Answers) == 0 {
		return nil
	}
	if change != nil {
		change(&m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return b
}

// alone returns a dialer that knows no avahi and no name server.
func alone(t *testing.T, links ...link) *Dialer {
	return &Dialer{
		Avahi: filepath.Join(t.TempDir(), "none"),
		links: func() []link { return links },
		Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		}},
	}
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"broker.local": true, "Broker.LOCAL.": true, "a.b.local": true,
		"local": false, ".local": false, "broker.locale": false, "local.example": false, "192.168.1.2": false,
	} {
		if IsLocal(host) != want {
			t.Errorf("IsLocal(%q) is not %v", host, want)
		}
	}
}

// TestAvahiResolves: GoSungrow#83, go2rtc#857 and glance#620 report static Go programs
// that do not find NAME.local, although the avahi daemon beside them knows it.
func TestAvahiResolves(t *testing.T) {
	port := listener(t)
	var asked atomic.Int32
	d := alone(t)
	d.Avahi = fakeAvahi(t, func(r string) string {
		asked.Add(1)
		if r == "RESOLVE-HOSTNAME-IPV4 broker.local" {
			return "+ 1 0 broker.local 127.0.0.1\n"
		}
		return "-15 Timeout reached\n"
	})
	conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("Broker.local", port))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if asked.Load() != 2 {
		t.Errorf("avahi was asked %d times, want once for IPv4 and once for IPv6", asked.Load())
	}
}

// TestOwnQueryResolves without avahi (the same reports).
func TestOwnQueryResolves(t *testing.T) {
	port := listener(t)
	conn, l := near(t)
	newResponder(t, conn, func(q dnsmessage.Message) [][]byte { return [][]byte{reply(t, q, nil, "127.0.0.1")} })
	c, err := alone(t, l).DialContext(t.Context(), "tcp", net.JoinHostPort("broker.local", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestOwnQueryByMulticast asks the group itself, on the loopback interface.
func TestOwnQueryByMulticast(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("no interface lo:", err)
	}
	group := &net.UDPAddr{IP: group4.Addr().AsSlice(), Port: 0}
	free, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	group.Port = free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	conn, err := net.ListenMulticastUDP("udp4", lo, group)
	if err != nil {
		t.Fatal(err)
	}
	newResponder(t, conn, func(q dnsmessage.Message) [][]byte { return [][]byte{reply(t, q, nil, "127.0.0.7")} })
	_, l := near(t)
	l.group = group.AddrPort()
	got, err := alone(t, l).mdns(t.Context(), "broker.local")
	if err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr("127.0.0.7")}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestQueryIsRepeated when the first is lost, as on a busy Wi-Fi.
func TestQueryIsRepeated(t *testing.T) {
	t.Parallel()
	conn, l := near(t)
	asked := 0
	newResponder(t, conn, func(q dnsmessage.Message) [][]byte {
		if asked++; asked <= 2 {
			return nil
		}
		return [][]byte{reply(t, q, nil, "127.0.0.1")}
	})
	if got, err := alone(t, l).mdns(t.Context(), "broker.local"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestSilentAvahiIsNotTheEnd: the daemon that hangs, or answers in another protocol.
func TestSilentAvahiIsNotTheEnd(t *testing.T) {
	conn, l := near(t)
	newResponder(t, conn, func(q dnsmessage.Message) [][]byte { return [][]byte{reply(t, q, nil, "127.0.0.1")} })
	for name, answer := range map[string]string{"empty": "", "not its protocol": "hello\n", "endless": strings.Repeat("x", 1<<16)} {
		d := alone(t, l)
		d.Avahi = fakeAvahi(t, func(string) string { return answer })
		if got, err := d.lookup(t.Context(), "broker.local"); err != nil || len(got) == 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestUnknownNameIsToldSoon: as a name that no host has, before a connection's time is up.
func TestUnknownNameIsToldSoon(t *testing.T) {
	t.Parallel()
	conn, l := near(t)
	newResponder(t, conn, func(dnsmessage.Message) [][]byte { return nil })
	began := time.Now()
	_, err := alone(t, l).DialContext(t.Context(), "tcp", "nobody.local:1883")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound || dns.Name != "nobody.local" {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestSystemIsAskedLast: a company's domain called local.
func TestSystemIsAskedLast(t *testing.T) {
	d := alone(t)
	conn, server := near(t)
	newResponder(t, conn, func(q dnsmessage.Message) [][]byte {
		if b := reply(t, q, nil, "10.1.2.3"); b != nil {
			return [][]byte{b}
		}
		empty := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
		b, _ := empty.Pack()
		return [][]byte{b}
	})
	d.Resolver.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", server.group.String())
	}
	if got, err := d.lookup(t.Context(), "mail.corp.local"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestForgedAnswers: only an answer to the question that was asked counts, and an address
// that a host can have.
func TestForgedAnswers(t *testing.T) {
	other := dnsmessage.MustNewName("other.local.")
	for name, change := range map[string]func(*dnsmessage.Message){
		"another number": func(m *dnsmessage.Message) { m.ID++ },
		"a question":     func(m *dnsmessage.Message) { m.Response = false },
		"a failure":      func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError },
		"another name":   func(m *dnsmessage.Message) { m.Answers[0].Header.Name = other },
		"another class":  func(m *dnsmessage.Message) { m.Answers[0].Header.Class = dnsmessage.ClassCHAOS },
		"gone":           func(m *dnsmessage.Message) { m.Answers[0].Header.TTL = 0 },
		"alias out of the network": func(m *dnsmessage.Message) {
			to := dnsmessage.MustNewName("example.com.")
			a := m.Answers[0]
			a.Header.Name = to
			m.Answers[0].Body = &dnsmessage.CNAMEResource{CNAME: to}
			m.Answers = append(m.Answers, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := question(t)
			if b := reply(t, q, nil, "10.0.0.1"); len(addresses(b, q.ID, "broker.local")) != 1 {
				t.Fatal("the answer without the change counts for nothing")
			}
			if got := addresses(reply(t, q, change, "10.0.0.1"), q.ID, "broker.local"); len(got) != 0 {
				t.Errorf("took %v", got)
			}
		})
	}
	l := link{group: group4, near: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}, zone: "eth0"}
	for from, want := range map[string]bool{
		"192.168.1.7:5353": true, "169.254.3.4:5353": true, "[fe80::1%eth0]:5353": true, // the link
		"192.168.1.7:5354": false, "203.0.113.9:5353": false,
	} {
		if l.heard(netip.MustParseAddrPort(from)) != want {
			t.Errorf("an answer from %s: not %v", from, want)
		}
	}
	host := netip.MustParseAddr("192.168.1.7")
	for addr, want := range map[string]string{
		"192.168.1.7": "192.168.1.7", "fe80::7": "fe80::7%eth0", "2001:db8::7": "2001:db8::7",
		"127.0.0.1": "", "::1": "", "0.0.0.0": "", "224.0.0.1": "", "ff02::1": "",
	} {
		got, ok := l.place(netip.MustParseAddr(addr), host)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s became %v, %v", addr, got, ok)
		}
	}
}

func question(t testing.TB) (q dnsmessage.Message) {
	b, err := query(0x1234, "broker.local", dnsmessage.TypeA)
	if err != nil || q.Unpack(b) != nil {
		t.Fatal(err)
	}
	return q
}

// TestAliasIsFollowed: people give a Pi further names (avahi-publish, go-avahi-cname).
func TestAliasIsFollowed(t *testing.T) {
	q := question(t)
	b := reply(t, q, func(m *dnsmessage.Message) {
		to := dnsmessage.MustNewName("hall-pi.local.")
		a := m.Answers[0]
		a.Header.Name = to
		m.Additionals = append(m.Additionals, a)
		m.Answers[0].Body = &dnsmessage.CNAMEResource{CNAME: to}
	}, "10.0.0.1")
	if got := addresses(b, q.ID, "broker.local"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestFloodIsBounded: a responder that sends as much as it can, with addresses without end.
func TestFloodIsBounded(t *testing.T) {
	conn, l := near(t)
	var n atomic.Int32
	newResponder(t, conn, func(q dnsmessage.Message) (all [][]byte) {
		for range 200 {
			all = append(all, reply(t, q, func(m *dnsmessage.Message) {
				for range 100 {
					r := m.Answers[0]
					r.Body = &dnsmessage.AResource{A: [4]byte{10, byte(n.Add(1) >> 8), byte(n.Load()), 1}}
					m.Answers = append(m.Answers, r)
				}
			}, "10.0.0.1"))
		}
		return all
	})
	began := time.Now()
	got, err := alone(t, l).mdns(t.Context(), "broker.local")
	if err != nil || len(got) != maxAddrs {
		t.Errorf("%d addresses, %v; want %d", len(got), err, maxAddrs)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestRulesSeeTheAddress: a host that answers for a name under .local gets a request no nearer
// to what the rules forbid.
func TestRulesSeeTheAddress(t *testing.T) {
	port := listener(t)
	forbidden := errors.New("forbidden")
	d := alone(t)
	d.Avahi = fakeAvahi(t, func(string) string { return "+ 1 0 evil.local 127.0.0.1\n" })
	var seen []string
	d.Control = func(_, address string, _ syscall.RawConn) error {
		seen = append(seen, address)
		return forbidden
	}
	conn, err := d.DialContext(t.Context(), "tcp", "evil.local:"+port)
	if conn != nil || !errors.Is(err, forbidden) || !slices.Equal(seen, []string{"127.0.0.1:" + port}) {
		t.Errorf("connection %v, error %v; the rules saw %v", conn, err, seen)
	}
}

// TestNextAddressIsTried when the first is dead, soon; and late connections are closed.
func TestNextAddressIsTried(t *testing.T) {
	closed := make(chan struct{})
	began := time.Now()
	conn, err := race(t.Context(), []string{"silent", "refused", "good", "late"}, func(ctx context.Context, target string) (net.Conn, error) {
		switch target {
		case "silent":
			<-ctx.Done()
			a, b := net.Pipe()
			go func() { // it is closed when the other end is
				_, _ = b.Read(make([]byte, 1))
				close(closed)
			}()
			return a, nil
		case "good":
			a, _ := net.Pipe()
			return a, nil
		}
		return nil, fmt.Errorf("%s: refused", target)
	})
	if err != nil || conn == nil {
		t.Fatal(err)
	}
	<-closed
	if took := time.Since(began); took < stagger || took > 10*stagger {
		t.Errorf("it took %s", took)
	}
	_, err = race(t.Context(), []string{"a", "b"}, func(_ context.Context, target string) (net.Conn, error) { return nil, errors.New(target) })
	if err == nil || err.Error() != "a" {
		t.Errorf("the error is %v, want the first", err)
	}
}

// TestNamesThatAreNone never reach avahi, whose requests are lines.
func TestNamesThatAreNone(t *testing.T) {
	d := alone(t)
	d.Avahi = fakeAvahi(t, func(r string) string { t.Errorf("avahi was asked %q", r); return "" })
	for _, name := range []string{"a b.local", "a\nQUIT.local", "a..local", strings.Repeat("a", 64) + ".local", strings.Repeat("a.", 130) + "local"} {
		if _, err := d.lookup(t.Context(), name); err == nil {
			t.Errorf("%q was looked up", name)
		}
	}
}

func TestOrderOfAddresses(t *testing.T) {
	var in []netip.Addr
	for _, a := range []string{"fe80::1%eth0", "2001:db8::1", "169.254.1.1", "::ffff:10.0.0.1", "192.168.1.1"} {
		in = append(in, netip.MustParseAddr(a))
	}
	if got := fmt.Sprint(sorted(in)); got != "[10.0.0.1 192.168.1.1 2001:db8::1 fe80::1%eth0 169.254.1.1]" {
		t.Error(got)
	}
}

func TestLinksOfAnInterface(t *testing.T) {
	cidr := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	links := linksOf("wlan0", []net.Addr{cidr("192.168.1.2/24"), cidr("2001:db8::2/64"), cidr("fe80::2/64")})
	if len(links) != 2 || links[0].local.String() != "192.168.1.2" || links[1].local.String() != "fe80::2%wlan0" || links[1].group.String() != "[ff02::fb%wlan0]:5353" {
		t.Errorf("links %+v", links)
	}
}

func FuzzAnswer(f *testing.F) {
	q := question(f)
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Answers: []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 10}, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}},
	}}}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := addresses(b, q.ID, "broker.local"); len(got) > maxRecords*(maxAliases+1) {
			t.Errorf("%d addresses", len(got))
		}
	})
}

func FuzzAvahi(f *testing.F) {
	f.Add("+ 2 0 broker.local 192.168.1.5\n", false)
	f.Add("+ 3 1 broker.local fe80::1\n", true)
	f.Add("-15 Timeout reached\n", true)
	f.Fuzz(func(t *testing.T, line string, six bool) {
		if a, err := parseAvahi(line, six); err == nil && (a.Is6() != six || !usable(a)) {
			t.Errorf("%q became %v", line, a)
		}
	})
}
