package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"pithings/api"
	"pithings/awsiot/playground"
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
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	ok := strings.EqualFold(scheme, "Bearer") // RFC 9110, section 11.1
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
	return &Gate{token: token, names: append([]string{"localhost"}, api.OwnNames()...)}
}

var (
	errHost  = errors.New("the Host header names no address and no name of this machine: a page elsewhere may have its name resolve to here")
	errCross = errors.New("a page of another site asks")
	errMute  = errors.New("a browser asks for a change and does not say for which page, which may be one of another site: use the form of /config, or serve https")
	errToken = errors.New("show the token: Authorization: Bearer TOKEN, or as a password")
)

// Wrap returns a handler that lets in who may ask. changes reports whether a request changes something,
// whatever its method.
func (g *Gate) Wrap(h http.Handler, changes func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := g.Strange(r)
		switch {
		case err != nil:
			refuse(w, r, http.StatusForbidden, err)
		case mute(r) && changes(r):
			refuse(w, r, http.StatusForbidden, errMute)
		case g.token != nil && !g.token.Shown(r):
			w.Header().Set("WWW-Authenticate", realm)
			refuse(w, r, http.StatusUnauthorized, errToken)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// refuse answers in the manner of the routes.
func refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	playground.Refuse(w, r, "", status, err.Error())
}

// realm asks a browser for the token.
const realm = `Basic realm="pithings fleet: the token is the password", charset="UTF-8"`

// Strange returns why a request must not be answered, whatever token it shows: a page of another site
// may have made a browser send it. Where a token is needed, the name by which we are called does not
// matter: a page elsewhere does not have the token.
func (g *Gate) Strange(r *http.Request) error {
	switch {
	case crossSite(r):
		return errCross
	case g.token == nil && !api.OwnHost(r.Host, g.names):
		return errHost
	}
	return nil
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

// mute reports whether a browser asks and does not say for which page. Browsers send Sec-Fetch-Site only by
// https and to this machine, and a page can keep them from sending Referer, but the login of before goes
// with the picture that it has them load. All browsers call themselves Mozilla, and no page can change that.
func mute(r *http.Request) bool {
	h := r.Header
	return strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") && h.Get("Sec-Fetch-Site") == "" && h.Get("Referer") == "" && h.Get("Origin") == ""
}

// sameOrigin reports whether a page is of a host and port.
func sameOrigin(page, host string) bool {
	u, err := url.Parse(page)
	return err == nil && strings.EqualFold(u.Host, host)
}
