package web

import (
	"fmt"
	"net/http"

	"pithings/agent/access"
)

// CookieName is that of the session's cookie.
const CookieName = "pithings-session"

// visitKey is the context key of a request's *visit.
type visitKey struct{}

// visit is a request that was allowed, for the handlers of this package.
type visit struct {
	origin  origin
	role    access.Role
	session string // its cookie, if that is one of a session
	token   string // the name of its token, if it has one
	base    string
	secure  bool
	csrf    string                 // the session's
	again   func() access.Decision // as it would be decided now
}

// Page is what a page without scripts needs to know of the request for it: the path below which the
// client sees the server, and the secret for its forms ([api.FormSecret]), "" without a session.
func Page(r *http.Request) (base, secret string) {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	if !ok { // the local socket
		return "", ""
	}
	return v.base, v.csrf
}

// cookie is that of a session. Scripts cannot read it, and no other site makes a browser send it.
func (v *visit) cookie(id string) *http.Cookie {
	path := v.base
	if path == "" {
		path = "/"
	}
	return &http.Cookie{Name: CookieName, Value: id, Path: path, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: v.secure}
}

// Who is the client of a request that was allowed, for people who look later at who did what.
func Who(r *http.Request) string {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	switch {
	case !ok:
		return "local socket"
	case v.token != "":
		return "token " + v.token
	case v.session != "":
		return fmt.Sprintf("session of %s", v.origin.counts().Addr())
	}
	return "this machine"
}
