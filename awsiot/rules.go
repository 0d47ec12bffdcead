package awsiot

import (
	"fmt"
	"slices"
	"strings"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// topicsSource is the list of reserved topics.
const topicsSource = "https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html"

// publishable and subscribable are the reserved topics that clients may use.
// Anything else that begins with $ ends the connection.
var (
	publishable = []string{
		"$aws/things/+/shadow/#",
		"$aws/things/+/jobs/#",
		"$aws/things/+/defender/metrics/#",
		"$aws/things/+/streams/#",
		"$aws/certificates/#",
		"$aws/provisioning-templates/#",
		"$aws/device_location/#",
		"$aws/commands/#",
		"$aws/rules/+/#",
	}
	subscribable = []string{
		"$aws/things/+/shadow/#",
		"$aws/things/+/jobs/#",
		"$aws/things/+/defender/metrics/#",
		"$aws/things/+/streams/#",
		"$aws/things/+/tunnels/#",
		"$aws/certificates/#",
		"$aws/provisioning-templates/#",
		"$aws/device_location/#",
		"$aws/commands/#",
		"$aws/events/#",
		"$aws/sitewise/#",
		"$aws/iotwireless/#",
	}
)

// rules implements mqttlink.Rules.
type rules struct{ place }

// CheckPublish implements mqttlink.Rules.
func (rules) CheckPublish(m mqttlink.Message) error {
	if !strings.HasPrefix(m.Topic, "$") {
		return nil
	}
	refuse := func(why string) error {
		return &mqttlink.RuleError{What: "publish to " + m.Topic, Why: why, By: Name, Source: topicsSource}
	}
	if !slices.ContainsFunc(publishable, func(f string) bool { return topic.Match(f, m.Topic) }) {
		return refuse("of the topics that begin with $, clients may publish only to the reserved ones for shadow, jobs, defender, streams, certificates, provisioning, location, commands and rules")
	}
	if m.Retain {
		return refuse("messages on topics that begin with $ cannot be retained")
	}
	return nil
}

// CheckFilter implements mqttlink.Rules.
func (rules) CheckFilter(filter string) error {
	f := topic.Unshared(filter)
	if !strings.HasPrefix(f, "$") {
		return nil
	}
	why := "of the topics that begin with $, clients may subscribe only to the reserved ones for shadow, jobs, defender, streams, tunnels, certificates, provisioning, location, commands and events"
	switch {
	case strings.HasPrefix(f, ingest):
		why = "what is published to $aws/rules goes to its rule only (Basic Ingest)"
	case slices.ContainsFunc(subscribable, func(s string) bool { return topic.Overlap(s, f) }):
		return nil
	}
	return &mqttlink.RuleError{What: "subscription to " + filter, Why: why, By: Name, Source: topicsSource}
}

// CheckClientID implements mqttlink.Rules.
func (rules) CheckClientID(id string) error {
	if strings.HasPrefix(id, "$") {
		return &mqttlink.RuleError{What: "client id " + id, Why: "ids that begin with $ are reserved", By: Name, Source: Source}
	}
	return nil
}

// ingest is how the topics of Basic Ingest begin; the rule's name follows.
const ingest = "$aws/rules/"

// FreePrefix implements mqttlink.Rules: $aws/rules/RULE/ does not count, nor do
// $share and the group of a shared subscription.
func (rules) FreePrefix(name string) int {
	n := len(name) - len(topic.Unshared(name))
	if rest, ok := strings.CutPrefix(name[n:], ingest); ok {
		if rule := strings.IndexByte(rest, '/'); rule >= 0 {
			n += len(ingest) + rule + 1
		}
	}
	return n
}

// Permission implements mqttlink.Rules: the action and resource of the policy
// statement. The account is for the reader to fill in.
func (r rules) Permission(topic string, subscribe bool) string {
	action, kind := "iot:Publish", "topic"
	if subscribe {
		action, kind = "iot:Subscribe", "topicfilter"
	}
	region := r.region
	if region == "" {
		region = "<region>"
	}
	return fmt.Sprintf("%s on arn:%s:iot:%s:<account>:%s/%s", action, r.partition, region, kind, topic)
}
