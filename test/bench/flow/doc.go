// Package flow measures how long a flow takes through a broker, from the motion event to
// the display command: motion → capture → finished → display, four passes through one
// mosquitto and twice through the forwarder that is measured. One C program is sensor,
// camera and screen, and answers at once. The forwarders take turns in short blocks, in
// one run and through one broker:
//
//   - pithings: the shipped program, `pithings flow run` with a flow of a file. Queue on
//     disk, history, time-outs and log are as they always are;
//   - paho: the bare client library (folder forwarder), no JSON, no time-outs;
//   - c: one thread, one blocking socket, PUBACK and PUBLISH in one write;
//   - node-red: two mqtt-in wired to two mqtt-out, as Node-RED comes, and with
//     TCP_NODELAY forced upon it. It forwards payloads as they are.
//
// And `local`: the same flow with its three things in the process of the engine, which
// answer at once too and publish what such things publish, through a link with an outbox
// on disk.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/flow
//
// It needs mosquitto and gcc. Node-RED is compared if it is there:
//
//	cd test/bench/flow/peers && npm install
//
// What counts are the ratios of one run: for each round the median of a block through
// that of the block of another forwarder in the same round, and of those the median.
// FLOWBENCH_ROUNDS is how many rounds there are; FLOWBENCH_OTHER names another pithings, of
// another commit or with another build tag, which takes part as "other". The first chain of a block comes after a
// pause, while the others had their turn, and finds nothing in the processor's caches: it
// is reported by itself ("first"), and does not count in p50 and p99. In the median of its
// block it does.
package flow
