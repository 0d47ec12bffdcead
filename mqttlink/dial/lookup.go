package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"
)

// What one look-up may take. Together it is less than what a connection is given
// (mqttlink's ConnectTimeout, 10 s), so that an unknown name is reported as that.
const (
	avahiTime  = 3 * time.Second
	mdnsTime   = 2500 * time.Millisecond
	systemTime = 2 * time.Second

	// grace is for further addresses after the first: IPv4 and IPv6 come apart.
	grace = 150 * time.Millisecond

	maxAddrs = 16 // of one name
)

// errNoAnswer means that the local network was asked, and that no host has answered.
var errNoAnswer = errors.New("no host on the local network answers to this name")

// lookup returns the addresses of a name under .local, at least one, those first that are
// most likely to be reachable.
func (d *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if err := checkName(name); err != nil {
		return nil, &net.DNSError{Err: err.Error(), Name: host, IsNotFound: true}
	}
	addrs, err := hostsFile(ctx, name)
	if len(addrs) == 0 {
		addrs, err = d.avahi(ctx, name)
	}
	if len(addrs) == 0 && !errors.Is(err, errNoAnswer) { // no avahi, or it is silent
		addrs, err = d.mdns(ctx, name)
	}
	if len(addrs) == 0 && ctx.Err() == nil {
		addrs, err = d.resolver(ctx, name)
	}
	switch {
	case len(addrs) > 0:
		return sorted(addrs), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("look up %s: %w", name, context.Cause(ctx))
	}
	return nil, &net.DNSError{Err: errNoAnswer.Error(), Name: name, IsNotFound: true, UnwrapErr: err}
}

// checkName refuses what is no host name, before it becomes part of a query or of avahi's
// protocol, whose requests are lines.
func checkName(name string) error {
	if len(name) > 253 {
		return errors.New("the name is too long")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return errors.New("each part of the name needs 1 to 63 bytes")
		}
		for _, r := range label {
			if r <= ' ' || r == 0x7f || strings.ContainsRune(`\"/:%@[]`, r) {
				return fmt.Errorf("%q is not allowed in a name", r)
			}
		}
	}
	return nil
}

// hostsFile asks the hosts file alone: Go's resolver reads it first, and gets no
// connection to a name server.
func hostsFile(ctx context.Context, name string) ([]netip.Addr, error) {
	r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errNoAnswer }}
	return r.LookupNetIP(ctx, "ip", name)
}

func (d *Dialer) resolver(ctx context.Context, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, systemTime)
	defer cancel()
	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	return r.LookupNetIP(ctx, "ip", name+".")
}

// asker looks for addresses until it has all that it can get, or ctx ends.
type asker func(ctx context.Context, found func(netip.Addr)) error

// gather runs askers side by side until all have ended, or for a moment after the first
// address. Without any the error is the askers'.
func gather(ctx context.Context, limit time.Duration, askers []asker) (addrs []netip.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found, ended := make(chan netip.Addr), make(chan error)
	for _, ask := range askers {
		go func() { ended <- ask(ctx, func(a netip.Addr) { found <- a }) }()
	}
	var enough <-chan time.Time
	var errs []error
	for len(errs) < len(askers) {
		select {
		case a := <-found:
			if len(addrs) < maxAddrs && !slices.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
			if enough == nil {
				enough = time.After(grace)
			}
		case err := <-ended:
			errs = append(errs, err)
		case <-enough:
			cancel()
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	return nil, errors.Join(errs...)
}

// usable reports whether a host can have the address at all.
func usable(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() }

// sorted puts IPv4 first, as Debian's mdns4_minimal does: many a daemon listens there
// only; and addresses that hold on one link last.
func sorted(addrs []netip.Addr) []netip.Addr {
	rank := func(a netip.Addr) int {
		switch {
		case a.IsLinkLocalUnicast():
			return 2
		case a.Is6():
			return 1
		}
		return 0
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	sort.SliceStable(addrs, func(i, j int) bool { return rank(addrs[i]) < rank(addrs[j]) })
	return addrs
}
