package dial

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// One-shot queries (RFC 6762 section 5.1): from a port of our own, so that a responder
// answers to us alone, with our number (section 6.7), and no port needs to be shared with
// a responder on this machine.

const (
	mdnsPort     = 5353
	retry        = time.Second // before a question is asked again (section 5.2)
	maxPacket    = 9000        // bytes of an answer (section 17)
	maxResponses = 64          // that are read on a link in one look-up
	maxLinks     = 32          // that are asked; a machine with containers has many
)

var (
	group4 = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), mdnsPort)
	group6 = netip.MustParseAddr("ff02::fb")
)

// link is a way to hosts nearby.
type link struct {
	local netip.Addr     // to send from, which chooses the interface
	group netip.AddrPort // where the question goes
	near  []netip.Prefix // from where an answer may come; empty: from anywhere
	zone  string         // of link-local addresses in an answer
}

// mdns asks the hosts on all links.
func (d *Dialer) mdns(ctx context.Context, name string) ([]netip.Addr, error) {
	find := d.links
	if find == nil {
		find = interfaces
	}
	links := find()
	if len(links) == 0 {
		return nil, errors.New("there is no interface to ask on")
	}
	var askers []asker
	for _, l := range links[:min(len(links), maxLinks)] {
		askers = append(askers, func(ctx context.Context, found func(netip.Addr)) error { return l.ask(ctx, name, found) })
	}
	return gather(ctx, mdnsTime, askers)
}

// interfaces returns a link for each interface that can be asked on, and family. A
// service that may not list them (RestrictAddressFamilies= without AF_NETLINK) asks where
// the default route goes.
func interfaces() (links []link) {
	all, err := net.Interfaces()
	if err != nil {
		return []link{{local: netip.IPv4Unspecified(), group: group4}}
	}
	for _, i := range all {
		const want = net.FlagUp | net.FlagMulticast
		if i.Flags&want != want || i.Flags&net.FlagPointToPoint != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		links = append(links, linksOf(i.Name, addrs)...)
	}
	return links
}

// linksOf returns an interface's links: one for IPv4, one for IPv6.
func linksOf(name string, addrs []net.Addr) (links []link) {
	var near []netip.Prefix
	var four, six netip.Addr
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		near = append(near, p)
		switch a := p.Addr(); {
		case a.Is4() && !four.IsValid():
			four = a
		case a.Is6() && a.IsLinkLocalUnicast() && !six.IsValid():
			six = a.WithZone(name)
		}
	}
	if four.IsValid() {
		links = append(links, link{four, group4, near, name})
	}
	if six.IsValid() {
		links = append(links, link{six, netip.AddrPortFrom(group6.WithZone(name), mdnsPort), near, name})
	}
	return links
}

// ask asks on one link, twice if need be.
func (l link) ask(ctx context.Context, name string, found func(netip.Addr)) error {
	network := "udp4"
	if l.local.Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.local, 0)))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	id, left := uint16(rand.Uint32()), maxResponses
	buf := make([]byte, maxPacket)
	for _, patience := range []time.Duration{retry, mdnsTime} {
		// Each by itself: some responders in small devices answer the first question only.
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			q, err := query(id, name, kind)
			if err != nil {
				return err
			}
			if _, err := conn.WriteToUDPAddrPort(q, l.group); err != nil {
				return err
			}
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		for ctx.Err() == nil && left > 0 {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				break // the time is up
			}
			left--
			if !l.heard(from) {
				continue
			}
			for _, a := range addresses(buf[:n], id, name) {
				if a, ok := l.place(a, from.Addr()); ok {
					found(a)
				}
			}
		}
	}
	return errNoAnswer
}

// heard reports whether an answer may come from there: from the port of the question, and
// from this link (RFC 6762 sections 6 and 11).
func (l link) heard(from netip.AddrPort) bool {
	if from.Port() != l.group.Port() {
		return false
	}
	a := from.Addr().Unmap().WithZone("")
	for _, p := range l.near {
		if p.Contains(a) {
			return true
		}
	}
	return len(l.near) == 0 || a.IsLinkLocalUnicast()
}

// place gives an address its zone, and refuses one that means nothing here: another
// host's loopback.
func (l link) place(a, from netip.Addr) (netip.Addr, bool) {
	if !usable(a) || a.IsLoopback() && !from.Unmap().IsLoopback() {
		return a, false
	}
	if a.Is6() && a.IsLinkLocalUnicast() {
		return a.WithZone(l.zone), l.zone != ""
	}
	return a, true
}
