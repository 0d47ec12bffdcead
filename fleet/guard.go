package fleet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"pithings/mqttlink/dial"
	"pithings/mqttlink/endpoint"
)

// GuardError says that devices would connect to a broker that may be another's.
type GuardError struct {
	Host    string
	Devices int
	Wrong   string // what was given as the host
}

func (e *GuardError) Error() string {
	if e.Wrong != "" {
		return fmt.Sprintf("the broker is %s, and not %s: repeat its host if it is yours to load", e.Host, e.Wrong)
	}
	return fmt.Sprintf("%d devices would connect to %s, which is neither this machine nor on a private network: if it is yours to load, repeat its host (--target-is-mine %s)", e.Devices, e.Host, e.Host)
}

// near reports whether an address is this machine's or of a private network (RFC 1918, RFC
// 4193, link-local).
func near(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// far reports whether one of some addresses is not near.
func far(all []netip.AddrPort) bool {
	for _, a := range all {
		if !near(a.Addr()) {
			return true
		}
	}
	return false
}

// guard returns why the devices must not connect to these addresses.
func (p *plan) guard(all []netip.AddrPort) error {
	host := p.endpoint.Host
	if mine := p.TargetIsMine; mine != "" && !strings.EqualFold(mine, host) {
		return &GuardError{Host: host, Devices: p.Devices, Wrong: mine}
	}
	if !far(all) {
		return nil
	}
	switch {
	case p.Devices > Unguarded && p.TargetIsMine == "":
		return &GuardError{Host: host, Devices: p.Devices}
	case p.Ramp > MaxFarRamp:
		return fmt.Errorf("%s is not on a private network: at most %d connections are begun there in a second, and %v are asked for", host, MaxFarRamp, p.Ramp)
	case p.rate() > MaxFarRate:
		return fmt.Errorf("%s is not on a private network: at most %d messages are sent there in a second, and %.0f are asked for", host, MaxFarRate, p.rate())
	}
	return nil
}

// lookUp returns the broker's addresses.
func lookUp(ctx context.Context, e endpoint.Endpoint) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddr(e.Host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, e.Port)}, nil
	}
	if dial.IsLocal(e.Host) { // its look-up is part of connecting
		c, err := new(dial.Dialer).DialContext(ctx, "tcp", e.Addr())
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return []netip.AddrPort{c.RemoteAddr().(*net.TCPAddr).AddrPort()}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.Host)
	if err != nil {
		return nil, err
	}
	// A broker that listens on 0.0.0.0 has no ::1: with both, half of the devices would fail.
	var all, four []netip.AddrPort
	for _, a := range found {
		to := netip.AddrPortFrom(a.Unmap(), e.Port)
		if all = append(all, to); to.Addr().Is4() {
			four = append(four, to)
		}
	}
	if len(four) > 0 {
		return four, nil
	}
	return all, nil
}
