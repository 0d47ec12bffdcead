package config

import (
	"strings"

	"pithings/things"
)

// ingested says why a topic of a thing's kind cannot be one of AWS IoT's basic ingest,
// $aws/rules/RULE/…, or returns "": nothing is ever delivered there but to the rule.
func ingested(kind, role, topic string) string {
	k := things.KindOf(kind)
	if k == nil || !strings.HasPrefix(topic, "$aws/rules/") {
		return ""
	}
	for _, t := range k.Topics {
		switch {
		case t.Role != role:
		case t.In:
			return "commands never arrive there, because nothing can be subscribed to below $aws/rules (Basic Ingest)"
		case t.Retain:
			return "its messages are retained, which AWS IoT Core refuses below $aws/rules (Basic Ingest)"
		}
	}
	if rest := strings.TrimPrefix(topic, "$aws/rules/"); strings.Index(rest, "/") < 1 || strings.HasSuffix(rest, "/") {
		return "write $aws/rules/RULE/TOPIC, with the name of a rule and a topic"
	}
	return ""
}
