package tdm

import (
	"regexp"
	"strings"
)

// urnForm is the service's own expression for a URN (botocore, iotthingsgraph
// 2018-09-06, shape Urn), with groups for namespace, type and name.
var urnForm = regexp.MustCompile(`^urn:tdm:((?:(?:[a-z]{2}-(?:gov-)?[a-z]{4,9}-[0-9]{1,3}/[0-9]+/)*[0-9A-Za-z_]+(?:/[0-9A-Za-z_]+)*)):([A-Za-z]*):([0-9A-Za-z_]+(?:/[0-9A-Za-z_]+)*)$`)

// placeholders stand for a region and an account in documents that people
// share: REGION/ACCOUNT ID, {REGION}/{ACCOUNT_ID}. Nothing depends on their
// values here.
var placeholders = regexp.MustCompile(`\$?\{+[A-Za-z0-9_ -]*\}+|<[A-Za-z0-9_ -]*>|[A-Za-z0-9_]+( [A-Za-z0-9_]+)+`)

// inName are placeholders within a name: each is its own word.
var inName = regexp.MustCompile(`\$?\{+([A-Za-z0-9_]+)\}+`)

// urn names an entity. Its parts are compared without regard to case, as the
// service did.
type urn struct {
	text                  string // as written
	namespace, kind, name string
}

func parseURN(s string) (urn, bool) {
	plain := strings.TrimSpace(s)
	if i := strings.LastIndexByte(plain, ':'); i > 0 {
		if j := strings.LastIndexByte(plain[:i], ':'); j > 0 {
			plain = placeholders.ReplaceAllString(plain[:j], "placeholder") + plain[j:]
		}
	}
	plain = inName.ReplaceAllString(plain, "$1") // Workflow:Door{{SUFFIX}}
	m := urnForm.FindStringSubmatch(plain)
	if m == nil {
		return urn{}, false
	}
	return urn{text: strings.TrimSpace(s), namespace: m[1], kind: m[2], name: m[3]}, true
}

// key is the same for all spellings.
func (u urn) key() string { return strings.ToLower(u.namespace + ":" + u.kind + ":" + u.name) }

// ownNamespace is that of URNs which an export made up.
const ownNamespace = "pithings"

// ownURN is a URN's text, or "" if an export made it up.
func ownURN(u urn, name string) string {
	if u.namespace == ownNamespace && u.name == name {
		return ""
	}
	return u.text
}
