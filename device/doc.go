// Package device is the vocabulary in which the rooms of the house talk about devices: what a
// device reports ([Event]), what can be asked of it ([Actor]), how it looks at a broker
// ([Model]), and what its values mean ([Quantity]).
//
// Things produce it; flows, the gateway, pages and Home Assistant consume it. None of them
// needs to know the others, and none parses a payload that this program wrote itself.
package device
