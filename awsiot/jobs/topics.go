package jobs

import (
	"regexp"
	"strings"
)

// Names as the API's reference has them.
var (
	thingName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
	jobID     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
)

// kind is what a message is.
type kind string

const (
	notifyNext    kind = "notify-next"
	startNext     kind = "start-next"
	startAccepted kind = "start-next/accepted"
	startRejected kind = "start-next/rejected"
	describe      kind = "get"
	getAccepted   kind = "get/accepted"
	getRejected   kind = "get/rejected"
	update        kind = "update"
	updAccepted   kind = "update/accepted"
	updRejected   kind = "update/rejected"
)

// prefix is how the topics of a thing's jobs begin.
func prefix(thing string) string { return "$aws/things/" + thing + "/jobs/" }

// filters are what a device subscribes to. The service sends answers to the requester without
// that, but other brokers do not.
func filters(thing string) []string {
	p := prefix(thing)
	return []string{p + "notify-next", p + "start-next/+", p + "+/get/+", p + "+/update/+"}
}

// parseTopic takes apart a topic of one of a thing's jobs. job is "" where the topic names none.
func parseTopic(thing, topic string) (job string, k kind, ok bool) {
	rest, ok := strings.CutPrefix(topic, prefix(thing))
	if !ok {
		return "", "", false
	}
	switch kind(rest) {
	case notifyNext, startAccepted, startRejected:
		return "", kind(rest), true
	}
	job, rest, _ = strings.Cut(rest, "/")
	switch kind(rest) {
	case getAccepted, getRejected, updAccepted, updRejected:
		return job, kind(rest), jobID.MatchString(job)
	}
	return "", "", false
}
