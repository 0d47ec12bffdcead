package config

import (
	"path"
	"strings"

	"pithings/agent/access"
	"pithings/conf"
)

// access checks who may use the web server.
func (d *checker) access(c *HTTP) {
	if hash := c.PasswordHash.Reveal(); hash != "" {
		if err := access.CheckHash(hash); err != nil {
			d.Bad("http.password_hash", "http.password_hash: %v", err)
		}
	}
	switch t := &c.TLS; {
	case (t.Cert == "") != (t.Key == ""):
		d.Bad("http.tls", "http.tls: cert and key belong together; give both, or self_made: true")
	case t.Cert != "" && t.SelfMade:
		d.Bad("http.tls.self_made", "http.tls: there is a certificate in cert, so that none is made; remove one of the two")
	}
	if c.BasePath != "" && !IsBasePath(c.BasePath) {
		d.Bad("http.base_path", "http.base_path: %s is not a path; write /pithings, without a slash at the end", conf.Quote(c.BasePath))
	}
}

// IsBasePath reports whether s is a path below which a web server can be: /a/b, of letters, digits
// and the signs that need no escape.
func IsBasePath(s string) bool {
	const signs = "/-._~"
	return len(s) > 1 && len(s) <= 256 && s[0] == '/' && path.Clean(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(signs, r)
		})
}
