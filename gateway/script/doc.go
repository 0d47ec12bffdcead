// Package script runs the Python that gateway users write: a few lines that reshape what
// goes up and what comes down. It knows nothing of gateways, MQTT or things. Its host hands
// in modules, functions and objects, and calls functions of the script with values.
//
//	program, err := script.Compile("rule", "def double(x):\n    return 2 * x\n")
//	s, err := script.New(ctx, program, script.Options{})
//	v, err := s.Call(ctx, "double", script.Int(21)) // Int(42)
//
// [Compile] refuses what is not supported, with the line and what to write instead.
// [New] runs the body of the script, and [Script.Call] one of its functions, both under
// [Limits] of steps, memory, depth and time, which no except of the script catches.
// docs/scripts.md is the page for those who write scripts.
//
// The work is done by packages inside: internal/syntax reads, internal/py has values
// and limits, internal/ops the operators, internal/builtin built-in functions and methods,
// internal/lib the modules, and internal/eval runs.
package script
