package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/api"
)

// origin is where a request comes from.
type origin struct {
	from      netip.Addr // the client; invalid if that is not known
	peer      netip.Addr // the other end of the connection: the client or a proxy
	forwarded bool       // by a proxy, or it may be
	trusted   bool       // the peer is a proxy of http.trusted_proxies
}

// forwarders are the headers of proxies, besides X-Forwarded-…. None of them is sent by a program
// that asks by itself.
var forwarders = []string{"Forwarded", "Via", "X-Real-Ip"}

// originOf reads where a request comes from. Only what a trusted proxy adds to X-Forwarded-For
// counts: the rightmost address that is none of such a proxy.
func (x *Access) originOf(r *http.Request) (o origin) {
	if p, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.peer = p.Addr().Unmap().WithZone("")
	}
	o.from, o.trusted = o.peer, within(x.proxies, o.peer)
	o.forwarded = o.trusted || slices.ContainsFunc(forwarders, func(h string) bool { return r.Header[h] != nil })
	for h := range r.Header {
		o.forwarded = o.forwarded || strings.HasPrefix(h, "X-Forwarded-")
	}
	if !o.trusted {
		return o
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			o.from = netip.Addr{}
			return o
		}
		if o.from = a.Unmap().WithZone(""); !within(x.proxies, o.from) {
			return o
		}
	}
	return o
}

// loopback reports whether the other end of the connection is on this machine.
func (o *origin) loopback() bool { return o.peer.IsLoopback() }

// counts is whom an attempt to log in counts for: the client, else the proxy.
func (o *origin) counts() netip.Prefix {
	if o.from.IsValid() {
		return network(o.from)
	}
	return network(o.peer)
}

// basePath is the path below which the client sees the server.
func (x *Access) basePath(r *http.Request, o *origin) string {
	if given := r.Header.Get("X-Ingress-Path"); o.trusted && config.IsBasePath(given) {
		return given // Home Assistant: it has removed it from the path
	}
	return x.base
}

// secure reports whether the client speaks HTTPS.
func secure(r *http.Request, o *origin) bool {
	return r.TLS != nil || o.trusted && r.Header.Get("X-Forwarded-Proto") == "https"
}

// crossSite reports whether a browser sends a request for a page of another site. It names the
// page's site in Origin when it changes something or the page wants to read the answer
// (fetch.spec.whatwg.org, "origin header"), and says in Sec-Fetch-Site what that is to us
// (w3c.github.io/webappsec-fetch-metadata), where the connection is encrypted or to this machine.
// Other programs send neither.
func crossSite(r *http.Request, o *origin) bool {
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || u.Host == "" {
		return true
	}
	host, scheme := r.Host, "http"
	if given := r.Header.Get("X-Forwarded-Host"); o.trusted && given != "" {
		host = given
	}
	if secure(r, o) {
		scheme = "https"
	}
	return u.Scheme != scheme || !strings.EqualFold(u.Host, host)
}

// mute reports whether a browser asks by GET and does not say for which page: browsers send
// Sec-Fetch-Site only by https and to this machine, older ones never, and a picture in any page is fetched
// by GET. All browsers call themselves Mozilla, and no page can change that.
func mute(r *http.Request) bool {
	return r.Method != http.MethodPost && strings.HasPrefix(r.UserAgent(), "Mozilla/") && r.Header["Sec-Fetch-Site"] == nil
}

// maxForm bounds the form in which the secret of a session is looked for, in bytes.
const maxForm = 64 << 10

// formSecret is the secret of a session in a form, for pages without scripts.
func formSecret(r *http.Request) string {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	return r.PostFormValue(api.FormSecret)
}

// LocalName reports whether a host, with or without a port, is this machine by a loopback
// address or localhost.
func LocalName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
