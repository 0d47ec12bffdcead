package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pithings/mqttlink/dial"
	"pithings/mqttlink/endpoint"
)

// GuardError says that devices would connect to a broker that may be another's.
type GuardError struct {
	Host    string
	Devices int
	Rogue   bool   // some devices are rogue
	Wrong   string // what was given as the host
}

func (e *GuardError) Error() string {
	if e.Wrong != "" {
		return fmt.Sprintf("the broker is %s, and not %s: repeat its host if it is yours to load", e.Host, e.Wrong)
	}
	if e.Rogue {
		return fmt.Sprintf("rogue devices would attack %s, which is neither this machine nor on a private network: if it is yours to attack, repeat its host (--target-is-mine %s)", e.Host, e.Host)
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
	case p.rogues() > 0 && p.TargetIsMine == "":
		return &GuardError{Host: host, Devices: p.Devices, Rogue: true}
	case p.Devices > Unguarded && p.TargetIsMine == "":
		return &GuardError{Host: host, Devices: p.Devices}
	case p.ramp() > MaxFarRamp:
		return fmt.Errorf("%s is not on a private network: at most %d connections are begun there in a second, and %v are asked for", host, MaxFarRamp, p.ramp())
	case p.rate() > MaxFarRate:
		return fmt.Errorf("%s is not on a private network: at most %d messages are sent there in a second, and %.0f are asked for", host, MaxFarRate, p.rate())
	}
	if p.script != nil && p.script.Peak().Bytes > maxFarBytes {
		return fmt.Errorf("%s is not on a private network: at most %d MiB of messages that are too large are sent there in a second", host, maxFarBytes>>20)
	}
	return nil
}

// lookUpTime bounds a look-up.
const lookUpTime = 10 * time.Second

// lookUp returns the broker's addresses. Nothing is connected: the guard sees them first.
func lookUp(ctx context.Context, e endpoint.Endpoint, local *dial.Dialer) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddr(e.Host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, e.Port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	if dial.IsLocal(e.Host) {
		all, err := lookUpLocal(ctx, e, *local)
		return fourFirst(all), err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.Host)
	if err != nil {
		return nil, err
	}
	var all []netip.AddrPort
	for _, a := range found {
		all = append(all, netip.AddrPortFrom(a.Unmap(), e.Port))
	}
	return fourFirst(all), nil
}

// errNoted ends an attempt to connect that was made for its address.
var errNoted = errors.New("the address is noted")

// lookUpLocal looks up NAME.local as a part of connecting, which ends before each connection.
func lookUpLocal(ctx context.Context, e endpoint.Endpoint, d dial.Dialer) (all []netip.AddrPort, err error) {
	var mu sync.Mutex // addresses are tried side by side
	d.Control = func(_, address string, _ syscall.RawConn) error {
		mu.Lock()
		defer mu.Unlock()
		a, err := netip.ParseAddrPort(address)
		if err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
		return errNoted
	}
	c, err := d.DialContext(ctx, "tcp", e.Addr())
	if err == nil { // no address passes Control
		c.Close()
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

// fourFirst leaves addresses of IPv6 out if there are others. A broker that listens on 0.0.0.0 has no
// ::1: with both, half of the devices would fail at first.
func fourFirst(all []netip.AddrPort) []netip.AddrPort {
	var four []netip.AddrPort
	for _, a := range all {
		if a.Addr().Is4() {
			four = append(four, a)
		}
	}
	if len(four) > 0 {
		return four
	}
	return all
}
