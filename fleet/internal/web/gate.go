package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Token is a secret that clients show. Its hash is kept, of one length whatever is shown.
type Token [sha256.Size]byte

// NewToken returns the token of a text.
func NewToken(text string) *Token {
	t := Token(sha256.Sum256([]byte(text)))
	return &t
}

// Shown reports whether a request shows the token: as a bearer token, or as the password of a browser's
// login, with whatever name.
func (t *Token) Shown(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, given, ok = r.BasicAuth()
	}
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], t[:]) == 1 && ok
}

// Gate lets requests in.
type Gate struct {
	token *Token   // nil: none is needed
	names []string // of this machine, in lower case
}

// NewGate returns a gate. Without a token it is for a server on loopback only.
func NewGate(token *Token) *Gate {
	g := &Gate{token: token, names: []string{"localhost"}}
	if name, err := os.Hostname(); err == nil && name != "" {
		short, _, _ := strings.Cut(strings.ToLower(name), ".")
		g.names = append(g.names, strings.ToLower(name), short, short+".local")
	}
	return g
}

var (
	errHost  = errors.New("the Host header names no address and no name of this machine: a page elsewhere may have its name resolve to here")
	errCross = errors.New("a page of another site asks")
	errToken = errors.New("show the token: Authorization: Bearer TOKEN, or as a password")
)

// Wrap returns a handler that lets in who may ask.
func (g *Gate) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case crossSite(r):
			Refuse(w, http.StatusForbidden, errCross)
		case g.token == nil && !g.ownHost(r.Host):
			Refuse(w, http.StatusForbidden, errHost)
		case g.token != nil && !g.token.Shown(r): // who has it may call us as it likes: a page elsewhere has it not
			Unauthorized(w)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// Refuse answers who is not let in.
func Refuse(w http.ResponseWriter, status int, err error) { http.Error(w, err.Error(), status) }

// Unauthorized asks for the token.
func Unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="pithings fleet: the token is the password", charset="UTF-8"`)
	Refuse(w, http.StatusUnauthorized, errToken)
}

// ownHost reports whether a Host header names this machine by an address, for which no browser asks a
// name server, or by a name of its own.
func (g *Gate) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.Contains(g.names, strings.TrimSuffix(host, "."))
}

// crossSite reports whether a page of another origin has a browser ask: by what the browser says
// (Sec-Fetch-Site; none is a bookmark or the address bar), or, of older ones, by Origin and Referer.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
	case "":
		if from := r.Header.Get("Referer"); from != "" && !sameOrigin(from, r.Host) {
			return true
		}
	default:
		return true
	}
	from := r.Header.Get("Origin")
	return from != "" && !sameOrigin(from, r.Host)
}

// sameOrigin reports whether a page is of a host and port.
func sameOrigin(page, host string) bool {
	u, err := url.Parse(page)
	return err == nil && strings.EqualFold(u.Host, host)
}
