// Package topic has the rules for topic names and topic filters of MQTT 3.1.1 section 4.7:
// what is valid, which topic a filter matches, and how two filters relate.
//
//	a topic     hall/lamp/state        levels between slashes, no wildcards
//	a filter    hall/+/state, hall/#   + is one level, a final # all below
//	shared      $share/GROUP/FILTER    the messages of FILTER, each to one of the group
//
// It is the one place with these rules. What only some brokers or callers ask for (a topic
// of their own that begins with $, a length below MQTT's) is theirs.
package topic
