// Package gateway does what InHand's Device Supervisor gives its users: it collects the
// values of things into groups, raises alarms, and reshapes what goes up and what comes down
// with scripts in Python. docs/gateway.md is its manual, and [Settings] its section of the
// configuration.
//
//	things ──events──▶ field ──rounds, alarms──▶ rules ──messages──▶ link
//	       ◀──actions──      ◀──writes, recalls──      ◀──messages──
//
// Package field faces the things, package rule the cloud; collect has the state machines of
// both, and script the interpreter. A gateway knows things by their descriptions, and the
// connection as one that takes messages: neither which things there are, nor which broker.
//
// One goroutine polls the groups, and waits for no rule. Each publish rule takes what it gets
// from a queue of its own, in a goroutine of its own. What the rules make of one poll is
// accepted in the order of collection, except that of a rule that takes longer than a second.
package gateway
