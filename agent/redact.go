package agent

import (
	"regexp"
	"strings"

	"pithings/agent/config"
	"pithings/conf"
)

// redacted is what stands for a secret in what leaves the machine.
const redacted = "[secret]"

// shortestSecret is the length of a secret from which its text is looked for, in bytes: a
// shorter one is a part of too many words, and guessed anyway.
const shortestSecret = 4

// What may be a secret by its form: logins and queries of URLs (which sign pictures, for
// example), private keys, and values behind such names.
var (
	urlLogin = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s"']+@`)
	urlQuery = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'?]*\?)[^\s"']+`)
	pem      = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
	named    = regexp.MustCompile(`(?i)\b((?:password|passwd|secret|token|signature|authorization|api_?key)["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|(?:bearer |basic )?[^\s"',;}\]]+)`)
)

// redactor removes secrets from texts.
type redactor struct{ known *strings.Replacer }

// redactorOf knows the secrets of a configuration.
func redactorOf(c *config.Config) redactor {
	var pairs []string
	for _, s := range conf.Secrets(c) {
		if len(s) >= shortestSecret {
			pairs = append(pairs, s, redacted)
		}
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string {
	s = r.known.Replace(s)
	s = pem.ReplaceAllString(s, redacted)
	s = urlLogin.ReplaceAllString(s, "${1}"+redacted+"@")
	s = urlQuery.ReplaceAllString(s, "${1}"+redacted)
	return named.ReplaceAllString(s, "${1}"+redacted)
}
