package web

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// clean reports whether a path is one that we would write: without dots that lead out of a
// folder, double slashes, backslashes and control characters, escaped or not. All others are
// unknown, so that no handler meets them.
func clean(u *url.URL) bool {
	p := u.Path
	if !strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7F || r == '\\' }) {
		return false
	}
	return p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/")
}

// below returns the request without the path below which a proxy has the server. A proxy may
// have removed it by itself.
func below(base string, r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, base)
	if base == "" || !ok || rest != "" && rest[0] != '/' {
		return r
	}
	u := *r.URL
	u.Path = "/" + strings.TrimPrefix(rest, "/")
	if raw, ok := strings.CutPrefix(u.RawPath, base); ok { // base has no escapes
		u.RawPath = "/" + strings.TrimPrefix(raw, "/")
	} else {
		u.RawPath = ""
	}
	r = r.WithContext(r.Context())
	r.URL = &u
	return r
}
