package display

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// maxURI bounds all URIs but data URIs. Signed object-store addresses take some
// 2 KB.
const maxURI = 8192

// schemes lists what can be fetched, for error messages.
const schemes = "http, https, data or file"

// parseURI checks a picture's URI and takes it apart. A data URI's content is
// left in Opaque. MaxBytes bounds what a data URI may hold.
func parseURI(uri string, maxBytes int64) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if ok && scheme == "data" {
		// Not for url.Parse, which would copy and scan megabytes. Percent-encoded
		// bytes take three each.
		if int64(len(rest)) > 3*maxBytes+maxURI {
			return nil, fmt.Errorf("data URI of %d bytes: %w: the limit for pictures is %d bytes", len(uri), ErrTooLarge, maxBytes)
		}
		return &url.URL{Scheme: "data", Opaque: rest}, nil
	}
	if len(uri) > maxURI {
		return nil, fmt.Errorf("address of %d bytes: %w: the limit is %d bytes", len(uri), ErrTooLarge, maxURI)
	}
	u, err := url.Parse(uri)
	if err != nil {
		// The reason without url.Error's copy of the address, which may hold a
		// password.
		return nil, fmt.Errorf("%w: %s is no valid address", ErrRefused, redact(uri))
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return nil, fmt.Errorf("%w: %s names no host", ErrRefused, redact(uri))
		}
		u.Fragment, u.RawFragment = "", ""
	case "file":
		switch {
		case u.Host != "" && !strings.EqualFold(u.Host, "localhost"):
			return nil, fmt.Errorf("%w: file addresses of another host; use file:///path", ErrRefused)
		case u.Path == "" || u.Path[0] != '/':
			return nil, fmt.Errorf("%w: %s is no absolute file address; use file:///path", ErrRefused, redact(uri))
		case strings.ContainsRune(u.Path, 0):
			return nil, fmt.Errorf("%w: file name with a zero byte", ErrRefused)
		}
	case "":
		return nil, fmt.Errorf("%w: %s has no scheme; use %s", ErrRefused, redact(uri), schemes)
	default:
		return nil, fmt.Errorf("%w: scheme %.20q; use %s", ErrRefused, u.Scheme, schemes)
	}
	return u, nil
}

var errNoComma = fmt.Errorf("%w: data URI without a comma", ErrPicture)

// parseData decodes what follows "data:" (RFC 2397): an optional media type,
// which is ignored, an optional ";base64", a comma and the content.
func parseData(rest string, maxBytes int64) ([]byte, error) {
	head, body, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, errNoComma
	}
	isBase64 := len(head) >= 7 && strings.EqualFold(head[len(head)-7:], ";base64")
	data, err := unescape(body)
	if err != nil {
		return nil, err
	}
	if isBase64 {
		if data, err = decodeBase64(data); err != nil {
			return nil, fmt.Errorf("%w: data URI with broken base64: %w", ErrPicture, err)
		}
	}
	if int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("data URI: %w: %d bytes, the limit is %d", ErrTooLarge, len(data), maxBytes)
	}
	return data, nil
}

// unescape undoes percent-encoding. A plus sign stays one, unlike in forms.
func unescape(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return nil, fmt.Errorf("%w: data URI that ends within %%xx", ErrPicture)
			}
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi > 15 || lo > 15 {
				return nil, fmt.Errorf("%w: data URI with %q for a byte", ErrPicture, s[i:i+3])
			}
			c = hi<<4 | lo
			i += 2
		}
		out = append(out, c)
	}
	return out, nil
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// decodeBase64 decodes both alphabets of RFC 4648, with or without padding and
// with white space in between, in place.
func decodeBase64(data []byte) ([]byte, error) {
	clean := data[:0]
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n', '\f':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		clean = append(clean, c)
	}
	for range 2 {
		if n := len(clean); n > 0 && clean[n-1] == '=' {
			clean = clean[:n-1]
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(out, clean)
	return out[:n], err
}

// redact returns uri as it may be logged: no user, password, query (which holds
// the signature of a signed address) or picture data, and not endless.
func redact(uri string) string {
	const longest = 120
	scheme, rest, ok := strings.Cut(uri, ":")
	if ok && strings.EqualFold(scheme, "data") {
		head, _, _ := strings.Cut(rest, ",")
		return fmt.Sprintf("data:%.40q (%d bytes)", head, len(uri))
	}
	shown, _, cut := strings.Cut(uri, "?")
	shown, _, _ = strings.Cut(shown, "#")
	if before, after, ok := strings.Cut(shown, "//"); ok {
		authority, path, slash := strings.Cut(after, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = authority[at+1:]
		}
		shown = before + "//" + authority
		if slash {
			shown += "/" + path
		}
	}
	if at := strings.LastIndexByte(shown, '@'); at >= 0 {
		// An address whose parts cannot be separated.
		shown = "…" + shown[at:]
	}
	if len(shown) > longest {
		shown = shown[:longest] + "…"
	}
	if cut {
		shown += "?…"
	}
	return fmt.Sprintf("%q", shown)
}

// addressRules decides which hosts and addresses may be asked for pictures.
type addressRules struct {
	allow, deny []netip.Prefix
	hosts       []string
	loopback    bool // may be dialled: for a picture of our own
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
	for _, p := range r.allow {
		if p.Contains(ip) {
			return nil
		}
	}
	if !r.loopback {
		for _, a := range append(embedded(ip), ip) {
			if a.IsLoopback() {
				return fmt.Errorf("%w: %v is this machine itself, from which only our own cameras' pictures are fetched; "+
					"if another program here has the picture, list its address in fetch.allow_nets; "+
					"if another machine has it, its pictures need an address that other machines can reach", ErrRefused, ip)
			}
		}
	}
	if len(r.allow) == 0 {
		return nil
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
