package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/api"
	"pithings/conf"
)

// Access is what the configuration says of who may ask: who may see /metrics and /healthz besides
// programs on this machine, and which proxies are trusted.
type Access struct {
	nets    []netip.Prefix
	names   []string           // of this machine, in lower case
	token   *[sha256.Size]byte // nil: there is none
	proxies []netip.Prefix
	base    string
}

// Rules are what the configuration allows.
type Rules struct {
	Nets      []string // networks (CIDR)
	BaseURL   string   // by which others reach this machine
	TokenFile string   // "" if there is no token
	Proxies   []string // networks (CIDR) of trusted reverse proxies
	BasePath  string   // below which they have the server
}

// NewAccess reads the rules.
func NewAccess(r Rules) (*Access, error) {
	nets, err := conf.Nets(r.Nets)
	if err != nil {
		return nil, fmt.Errorf("http.allow_nets: %w", err)
	}
	x := &Access{nets: nets, names: ownNames(r.BaseURL), base: r.BasePath}
	if x.proxies, err = conf.Nets(r.Proxies); err != nil {
		return nil, fmt.Errorf("http.trusted_proxies: %w", err)
	}
	if r.TokenFile != "" {
		token, err := ReadToken(r.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("http.token_file: %w", err)
		}
		sum := sha256.Sum256([]byte(token))
		x.token = &sum
	}
	return x, nil
}

// minToken is how long a token has to be: 16 random characters cannot be guessed over HTTP.
const minToken = 16

// ReadToken reads the token in the first line of a file.
func ReadToken(path string) (string, error) {
	token, err := config.ReadPassword(path)
	if err == nil && len(token) < minToken {
		err = fmt.Errorf("the token in %s has less than %d characters; make one with: openssl rand -hex 32", path, minToken)
	}
	return token, err
}

// ownNames are the names by which others may call this machine.
func ownNames(base string) (names []string) {
	names = api.OwnNames()
	if u, err := url.Parse(base); err == nil && u.Hostname() != "" {
		names = append(names, strings.ToLower(u.Hostname()))
	}
	return names
}

// lists reports whether a request may monitor: by the token of the configuration, or from a
// network of it.
func (x *Access) lists(r *http.Request, from netip.Addr) bool {
	// A web page elsewhere, whose name resolves to us, can make a browser ask; it cannot
	// make it send the token.
	if given, ok := bearer(r); ok && x.token != nil {
		sum := sha256.Sum256([]byte(given)) // of one length, whatever was given
		return subtle.ConstantTimeCompare(sum[:], x.token[:]) == 1
	}
	return from.IsValid() && api.OwnHost(r.Host, x.names) && within(x.nets, from)
}

// bearer is the token of a request.
func bearer(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func within(nets []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
}
