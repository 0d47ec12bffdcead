// Package access decides who may connect to the broker, and what each client may
// publish and subscribe to.
package access

import (
	"strings"

	"pithings/mqttlink/topic"
)

// matches reports whether a topic is one of a filter's. A right is for topics: a shared
// filter gives none.
func matches(filter, name string) bool { return !topic.IsShared(filter) && topic.Match(filter, name) }

// unshared returns the filter of a shared subscription, or the filter itself. The broker
// library reads $share in any case.
func unshared(filter string) string {
	if head, rest, ok := strings.Cut(filter, "/"); ok && strings.EqualFold(head, "$share") {
		_, filter, _ = strings.Cut(rest, "/")
	}
	return filter
}
