package topic

import "strings"

// share begins the filter of a shared subscription.
const share = "$share/"

// IsShared reports whether a filter is that of a shared subscription.
func IsShared(filter string) bool { return strings.HasPrefix(filter, share) }

// Unshared returns the FILTER of $share/GROUP/FILTER, and any other filter as it is.
func Unshared(filter string) string {
	if IsShared(filter) {
		if _, f, ok := strings.Cut(filter[len(share):], "/"); ok {
			return f
		}
	}
	return filter
}

// Levels returns how many levels a topic or filter has.
func Levels(topic string) int { return strings.Count(topic, "/") + 1 }

// hidden reports whether a filter cannot match a topic because that begins with $, and
// the filter with a wildcard [MQTT-4.7.2-1].
func hidden(filter, topic string) bool {
	return topic != "" && topic[0] == '$' && filter != "" && (filter[0] == '+' || filter[0] == '#')
}

// Match reports whether a message on topic reaches a subscription to filter: + stands for
// one level, a final # for any number of levels including none, and neither, as a filter's
// first level, for a topic that begins with $. Both must be valid.
func Match(filter, topic string) bool {
	filter = Unshared(filter)
	if hidden(filter, topic) {
		return false
	}
	for {
		level, restOfFilter, moreFilter := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		name, restOfTopic, moreTopic := strings.Cut(topic, "/")
		if level != "+" && level != name {
			return false
		}
		switch {
		case moreFilter && moreTopic:
			filter, topic = restOfFilter, restOfTopic
		case moreFilter:
			return restOfFilter == "#" // a/# includes a itself
		default:
			return !moreTopic
		}
	}
}

// Covers reports whether outer matches every topic that inner matches. Both must be valid,
// and no shared ones.
func Covers(outer, inner string) bool {
	if hidden(outer, inner) {
		return false
	}
	for {
		o, restO, moreO := strings.Cut(outer, "/")
		if o == "#" {
			return true
		}
		i, restI, moreI := strings.Cut(inner, "/")
		if i == "#" || o != "+" && o != i {
			return false
		}
		if !moreO || !moreI {
			return moreO == moreI || !moreI && restO == "#"
		}
		outer, inner = restO, restI
	}
}

// Overlap reports whether some topic matches both filters. Both must be valid, and no
// shared ones.
func Overlap(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		switch {
		case x == "#" || y == "#":
			return true
		case x != y && x != "+" && y != "+":
			return false
		case moreA && moreB:
			a, b = restA, restB
		case moreA:
			return restA == "#"
		case moreB:
			return restB == "#"
		default:
			return true
		}
	}
}
