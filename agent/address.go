package agent

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// baseURL is how others reach the web server: what the configuration says, else the
// address listened on. If that is every address, it is the one toward the broker, and
// for a broker on this machine, such as the embedded one, that by which its other
// clients reach us: the first of own that a network can have. ok is false if there is
// none, so that only this machine can fetch what the URL names.
func baseURL(configured, scheme string, listening *net.TCPAddr, towardBroker netip.Addr, own func() []netip.Addr) (url string, ok bool) {
	if configured != "" {
		return strings.TrimRight(configured, "/"), true
	}
	ip, ok := listening.AddrPort().Addr().Unmap(), true
	if ip.IsUnspecified() {
		only4 := ip.Is4()
		if ip, ok = reachable([]netip.Addr{towardBroker}, only4); !ok {
			ip, ok = reachable(own(), only4)
		}
		if !ok {
			ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	}
	return scheme + "://" + net.JoinHostPort(ip.String(), strconv.Itoa(listening.Port)), ok
}

// reachable returns the first address that other hosts can reach: an IPv4 address if
// there is one, since not every client has IPv6, else one of IPv6 unless only4. An
// address of a link (169.254.0.0/16, fe80::/10) is none: it holds on one link only, and
// in a URL it needs the name of the reader's interface (RFC 6874).
func reachable(own []netip.Addr, only4 bool) (netip.Addr, bool) {
	var six netip.Addr
	for _, a := range own {
		switch a = a.Unmap(); {
		case !a.IsGlobalUnicast():
		case a.Is4():
			return a, true
		case !only4 && !six.IsValid():
			six = a.WithZone("")
		}
	}
	return six, six.IsValid()
}

// ownAddrs lists this machine's addresses: first those from which it would send to the
// Internet, then those of all interfaces.
func ownAddrs() []netip.Addr {
	var all []netip.Addr
	// Addresses for documentation (RFC 5737, RFC 3849), to which no route but the
	// default one leads. To connect a UDP socket sends nothing.
	for _, out := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		if c, err := net.Dial("udp", out); err == nil {
			if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
				all = append(all, a.AddrPort().Addr())
			}
			c.Close()
		}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return all
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, p.Addr())
			}
		}
	}
	return all
}
