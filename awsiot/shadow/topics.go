package shadow

import "strings"

// Op is what a topic of a shadow is for: its last words.
type Op string

// The topics that a device uses, behind $aws/things/THING/shadow or
// $aws/things/THING/shadow/name/NAME.
const (
	Get            Op = "get"
	GetAccepted    Op = "get/accepted"
	GetRejected    Op = "get/rejected"
	Update         Op = "update"
	UpdateAccepted Op = "update/accepted"
	UpdateRejected Op = "update/rejected"
	UpdateDelta    Op = "update/delta"
)

// answers are the topics that a device subscribes to. update/documents repeats in full
// what the others say, and shadow/# would have it.
var answers = []Op{GetAccepted, GetRejected, UpdateAccepted, UpdateRejected, UpdateDelta}

// Topic returns the topic of a shadow. The name of the classic one is "".
func Topic(thing, name string, op Op) string {
	if name == "" {
		return "$aws/things/" + thing + "/shadow/" + string(op)
	}
	return "$aws/things/" + thing + "/shadow/name/" + name + "/" + string(op)
}

// parseTopic takes apart a topic of one of a thing's shadows.
func parseTopic(thing, topic string) (name string, op Op, ok bool) {
	rest, ok := strings.CutPrefix(topic, "$aws/things/"+thing+"/shadow/")
	if !ok {
		return "", "", false
	}
	if named, ok := strings.CutPrefix(rest, "name/"); ok {
		if name, rest, ok = strings.Cut(named, "/"); !ok || !shadowName.MatchString(name) {
			return "", "", false
		}
	}
	for _, op := range answers {
		if rest == string(op) {
			return name, op, true
		}
	}
	return "", "", false
}

// filters returns what to subscribe to for the shadows of a thing. More than one named shadow
// share five filters, because a connection may have fifty.
func filters(thing string, names []string) []string {
	var all []string
	named := ""
	for _, name := range names {
		switch {
		case name == "":
			for _, op := range answers {
				all = append(all, Topic(thing, "", op))
			}
		case named == "":
			named = name
		default:
			named = "+"
		}
	}
	if named != "" {
		for _, op := range answers {
			all = append(all, Topic(thing, named, op))
		}
	}
	return all
}
