package agent

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/flow/service"
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

// secretsOf are the secrets of a configuration: those in it, and those in the folder that it has
// for services, as they are now.
func secretsOf(c *config.Config) []string {
	all := conf.Secrets(c)
	if c.Services.Secrets == "" {
		return all
	}
	files, _ := os.ReadDir(c.Services.Secrets) // what is wrong with the folder Check reports
	for _, f := range files {
		if s, err := service.ReadSecret(c.Services.Secrets, f.Name()); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// redactor removes secrets from texts.
type redactor struct {
	known   *strings.Replacer
	secrets []string // the longest first: one may begin with another
}

// redactorOf knows secrets as they are, and as a log quotes them: once, or twice if the error that
// is logged quotes them, too.
func redactorOf(secrets []string) redactor {
	var r redactor
	for _, s := range secrets {
		if len(s) < shortestSecret {
			continue
		}
		for range 3 {
			r.secrets = append(r.secrets, s)
			quoted := strconv.Quote(s)
			s = quoted[1 : len(quoted)-1]
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r.secrets = slices.Compact(r.secrets)
	var pairs []string
	for _, s := range r.secrets {
		pairs = append(pairs, s, redacted)
	}
	r.known = strings.NewReplacer(pairs...)
	return r
}

func (r redactor) text(s string) string {
	s = r.known.Replace(r.beforeCuts(s))
	s = pem.ReplaceAllString(s, redacted)
	s = urlLogin.ReplaceAllString(s, "${1}"+redacted+"@")
	s = urlQuery.ReplaceAllString(s, "${1}"+redacted)
	return named.ReplaceAllString(s, "${1}"+redacted)
}

// beforeCuts removes the beginning of a secret whose end was cut off, for which an ellipsis stands.
func (r redactor) beforeCuts(s string) string {
	parts := strings.Split(s, "…")
	for i, p := range parts[:len(parts)-1] {
		most := 0
		for _, secret := range r.secrets {
			n := min(len(secret)-1, len(p))
			for n > most && !strings.HasSuffix(p, secret[:n]) {
				n--
			}
			most = max(most, n)
		}
		if most >= shortestSecret {
			parts[i] = p[:len(p)-most] + redacted
		}
	}
	return strings.Join(parts, "…")
}
