package service

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"pithings/flow"
	"pithings/flow/expr"
)

// address fills in a URL. Values are escaped for the place that they stand in, so
// that they add no parts of their own; a URL that is one value only is that.
func address(a flow.ServiceAction, input flow.Values) (*url.URL, error) {
	text := a.URL
	if strings.Contains(text, "${") {
		e, err := expr.ParseText(text)
		if err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
		parts := []expr.Node{e.Root()}
		m, composed := e.Root().(*expr.Macro)
		if composed {
			parts = m.Parts
		}
		var b strings.Builder
		for _, part := range parts {
			if l, ok := part.(*expr.Literal); ok {
				if s, ok := l.Value.(string); ok {
					b.WriteString(s)
					continue
				}
			}
			v, err := texts(a, map[string]any{"url": expr.New(part).Text()}, input)
			if err != nil {
				return nil, fmt.Errorf("url: %w", err)
			}
			s, given := v["url"]
			switch {
			case !given:
				return nil, fmt.Errorf("url: %s is not given", expr.New(part))
			case !composed:
				b.WriteString(s)
			case strings.Contains(b.String(), "?"):
				b.WriteString(url.QueryEscape(s))
			default:
				b.WriteString(url.PathEscape(s))
			}
		}
		text = b.String()
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("url: %w", plain(err))
	}
	for _, part := range strings.Split(u.EscapedPath(), "/") {
		if decoded, _ := url.PathUnescape(part); decoded == ".." || decoded == "." {
			return nil, fmt.Errorf("%w: a url with %q in its path", ErrRefused, decoded)
		}
	}
	return u, nil
}

// staticHost is the host of a URL if no value has a part in it, else "".
func staticHost(text string) string {
	authority, _, _ := strings.Cut(text, "${")
	u, err := url.Parse(authority)
	if err != nil {
		return ""
	}
	if authority != text && strings.Count(authority, "/") < 3 {
		return "" // the value may be the rest of the host's name
	}
	return strings.ToLower(u.Hostname())
}

// checkURL refuses other hosts than those that are named.
func (s *Services) checkURL(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: scheme %.20q; write http:// or https://", ErrRefused, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: a url with a user in it; send a header", ErrRefused)
	case s.hosts[host]:
		return nil
	}
	for _, h := range s.o.AllowHosts {
		h = strings.ToLower(h)
		if host == h || strings.HasPrefix(h, ".") && strings.HasSuffix(host, h) {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is none of the hosts that services may use; name it in the service's url, or allow it: services.allow_hosts in the configuration, --allow-host of flow run", ErrRefused, host)
}

// redirect is the client's CheckRedirect.
func redirect(req *http.Request, via []*http.Request) error {
	switch first := via[0].URL; {
	case len(via) > 3:
		return fmt.Errorf("%w: more than 3 redirects", ErrRefused)
	case !strings.EqualFold(req.URL.Host, first.Host) || req.URL.Scheme != first.Scheme:
		return fmt.Errorf("%w: a redirect to another host (%s); name that one in the service's url", ErrRefused, req.URL.Host)
	}
	req.Header.Del("Referer") // the address may hold a secret
	return nil
}

// control is the dialer's: it sees each address just before it is dialled, after
// all name look-ups, so that a name that resolves to something else the second
// time is caught as well.
func (s *Services) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", ErrRefused, address)
	}
	return s.checkAddr(ap.Addr())
}

// translated are networks whose addresses stand for IPv4 ones behind a
// translator or a tunnel: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo
// (RFC 4380), IPv4-compatible (RFC 4291 §2.5.5.1).
var translated = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("::/96"),
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")         // RFC 1122 §3.2.1.3
	broadcast   = netip.MustParseAddr("255.255.255.255")     // RFC 919
	metadata    = netip.MustParsePrefix("fd00:ec2::254/128") // EC2's, over IPv6
)

func (s *Services) checkAddr(ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	for _, p := range s.o.AllowNets {
		if p.Contains(ip) {
			return nil
		}
	}
	kind := ""
	switch {
	case ip.IsLoopback():
		kind = "a loopback"
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast():
		kind = "a link-local"
	case ip.IsUnspecified(), thisNetwork.Contains(ip):
		kind = "an unspecified"
	case ip.IsMulticast(), ip == broadcast:
		kind = "a multicast or broadcast"
	case metadata.Contains(ip):
		kind = "a cloud metadata"
	}
	for _, p := range translated {
		if kind == "" && p.Contains(ip) {
			kind = "a translated IPv4"
		}
	}
	if kind != "" {
		return fmt.Errorf("%w: %v is %s address; if the service is really there, allow its network, such as %v: services.allow_nets in the configuration, --allow-net of flow run",
			ErrRefused, ip, kind, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return nil
}
