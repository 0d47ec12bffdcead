// Package expr is the expression language of flows: the one of Things Graph
// documents, which our YAML shares.
//
//	event.temperature > 25 && users[name == 'rob'].height >= 1.5
//	cameraResult.lastClickedImage ?? 'none'
//	((string)gauge.reading).substring(0, 2)
//	macro(picture of ${room} at ${time})
//
// # Values
//
// Values are what JSON can hold: null, booleans, strings, numbers, lists and
// objects. Numbers are int64 (123, 10L), uint64 (10UL) or float64 (1.5).
// Arithmetic of integers stays with integers, as in Java, so that 7 / 2 is 3;
// numbers of JSON payloads are float64, so that reading / 2 is 3.5. What does not
// fit is an error, and so are a division by zero and a result that is no number.
//
// True are: true, a string that is not empty, a number that is not zero, a list
// and an object. && || ! take any value and give a boolean.
//
// # Paths
//
// A name is a variable, with or without a $ before it. A path continues with "."
// or with "/" that has no blank on either side (a / b divides); a key that is
// missing gives null, and so does a path that continues from null. list[condition]
// is the first element for which the condition holds, with the element's keys as
// names; list[0] is an element by its place, from 0, and null outside.
//
// # Bounds
//
// A source, the nesting, the work of an evaluation and the size of its result
// are bounded: see the Max constants. Whatever is wrong is an error, never a
// panic.
package expr

// Bounds of an expression.
const (
	MaxSource = 16 << 10 // bytes of source
	MaxDepth  = 64       // nested operators, parentheses and paths
	MaxSteps  = 20_000   // operations of one evaluation
	MaxResult = 64 << 10 // bytes of a string that an evaluation makes
	MaxBytes  = 1 << 20  // bytes of all strings and lists that an evaluation makes
)
