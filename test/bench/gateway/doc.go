// Package gateway measures the gateway's scripts against others that do the same work, and
// what bad scripts do to the rest of the agent. All contenders of a benchmark take turns in
// one run, in each round in another order; what counts are the ratios of one round, and of
// those the median. Processor time is that of a whole process, the kernel's part with it, as
// the kernel counts it in nanoseconds.
//
//   - BenchmarkEvaluation: the seed's script (vars_upload_test, unchanged) with ten variables,
//     from a round of values to the JSON that is published, against the starlark processor of
//     Telegraf (its own package, in the module peers), from a metric of ten fields to the
//     JSON. No network. Both write the seed's line of log to a log that drops it. Also the heap
//     of a rule.
//   - BenchmarkMessage: an MQTT message with the values in, the seed's message out, through one
//     mosquitto: the shipped program with a subscribe rule that calls the seed's function, and
//     Node-RED with mqtt in, a function node with the same work, and mqtt out.
//   - BenchmarkLatency: from an edge of a motion sensor's line to its message at a subscriber,
//     through the shipped program and one mosquitto, with and without six bad rules beside it.
//     The line is the simulated board's, driven from outside.
//
// How to run them:
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/gateway
//
// Telegraf's package is built when BenchmarkEvaluation starts; the others need mosquitto. Node-RED
// is that of test/bench/flow:
//
//	cd test/bench/flow/peers && npm install
//
// GATEWAYBENCH_ROUNDS is how many rounds there are.
package gateway
