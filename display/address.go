package display

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// addressRules decides which hosts and addresses may be asked for pictures.
type addressRules struct {
	allow, deny []netip.Prefix
	hosts       []string
}

// never lists the networks that no configuration opens: nothing there serves
// pictures, but cloud machines hand out their credentials on link-local
// addresses, and a multicast or broadcast request reaches many at once.
var never = []struct {
	prefix netip.Prefix
	name   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified"},           // RFC 1122 §3.2.1.3
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local"},        // RFC 3927
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast"},            // RFC 5771
	{netip.MustParsePrefix("255.255.255.255/32"), "a broadcast"},     // RFC 919
	{netip.MustParsePrefix("::/128"), "an unspecified"},              // RFC 4291 §2.5.2
	{netip.MustParsePrefix("fe80::/10"), "a link-local"},             // RFC 4291 §2.5.6
	{netip.MustParsePrefix("ff00::/8"), "a multicast"},               // RFC 4291 §2.7
	{netip.MustParsePrefix("fd00:ec2::254/128"), "a cloud metadata"}, // EC2's IMDS over IPv6
}

// check refuses an address that must not be dialled. It looks at the IPv4
// addresses inside translated and tunnelled IPv6 addresses too, because a
// translator on the way would turn them into what they stand for.
func (r *addressRules) check(ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	for _, a := range append(embedded(ip), ip) {
		for _, n := range never {
			if n.prefix.Contains(a) {
				return fmt.Errorf("%w: %v is %s address", ErrRefused, ip, n.name)
			}
		}
		for _, p := range r.deny {
			if p.Contains(a) {
				return fmt.Errorf("%w: %v is in the denied network %v", ErrRefused, ip, p)
			}
		}
	}
	if len(r.allow) == 0 {
		return nil
	}
	for _, p := range r.allow {
		if p.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("%w: %v is in none of the allowed networks", ErrRefused, ip)
}

// embedded returns the IPv4 addresses that the IPv6 address ip stands for.
func embedded(ip netip.Addr) []netip.Addr {
	if !ip.Is6() {
		return nil
	}
	b := ip.As16()
	v4 := func(i ...int) netip.Addr { return netip.AddrFrom4([4]byte{b[i[0]], b[i[1]], b[i[2]], b[i[3]]}) }
	last := v4(12, 13, 14, 15)
	switch {
	case in(ip, "::/96") && ip != netip.IPv6Loopback(): // IPv4-compatible, RFC 4291 §2.5.5.1
		return []netip.Addr{last}
	case in(ip, "64:ff9b::/96"): // NAT64, RFC 6052
		return []netip.Addr{last}
	case in(ip, "64:ff9b:1::/48"): // NAT64 for local use, RFC 8215: any prefix length of RFC 6052 §2.2
		return []netip.Addr{v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), last}
	case in(ip, "2002::/16"): // 6to4, RFC 3056
		return []netip.Addr{v4(2, 3, 4, 5)}
	case in(ip, "2001::/32"): // Teredo, RFC 4380 §4: server, and client inverted
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []netip.Addr{v4(4, 5, 6, 7), client}
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214 §6.1
		return []netip.Addr{last}
	}
	return nil
}

func in(ip netip.Addr, prefix string) bool { return netip.MustParsePrefix(prefix).Contains(ip) }

// checkHost refuses a host name that is not on the list of allowed hosts, if
// there is one. A name with a leading dot allows all names below it.
func (r *addressRules) checkHost(host string) error {
	if len(r.hosts) == 0 {
		return nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, h := range r.hosts {
		h = strings.ToLower(h)
		if host == h || strings.HasPrefix(h, ".") && strings.HasSuffix(host, h) {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is none of the allowed hosts", ErrRefused, host)
}

// control is a net.Dialer's Control: it sees each address just before it is
// dialled, after all name look-ups, so that a name that resolves to something
// else the second time is caught as well.
func (r *addressRules) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no IP address", ErrRefused, address)
	}
	return r.check(ap.Addr())
}
