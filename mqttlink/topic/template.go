package topic

import "strings"

// Thing is the placeholder for a thing's name in a template.
const Thing = "{thing}"

// Expand fills a thing's name into a template.
func Expand(template, thing string) string { return strings.ReplaceAll(template, Thing, thing) }

// OnlyThing reports whether a template holds no other braces than those of the placeholder.
func OnlyThing(template string) bool {
	return !strings.ContainsAny(Expand(template, ""), "{}")
}

// Own is the placeholder for a message's own topic in a template of where it goes instead.
const Own = "{topic}"

// ExpandOwn fills a message's topic into a template.
func ExpandOwn(template, topic string) string { return strings.ReplaceAll(template, Own, topic) }
