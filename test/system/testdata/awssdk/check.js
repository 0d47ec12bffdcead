// What the scripts of both SDKs share: where the broker is, checks, and words to the test.
'use strict';
const assert = require('node:assert');
const events = require('node:events');
const readline = require('node:readline');

const lines = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();

module.exports = {
	assert,
	host: 'localhost',
	port: Number(process.env.PORT),
	ca: process.env.CA,
	cert: process.env.CERT,
	key: process.env.KEY,

	// say names what has been found to be right.
	say: (what) => console.log(what),

	// ask lets the test do something, such as creating a job, and waits until it is done.
	ask: async (what) => {
		console.log('please ' + what);
		assert.strictEqual((await lines.next()).value, 'done');
	},

	// next waits for an event, and returns what comes with it.
	next: (emitter, event) => events.once(emitter, event, {signal: AbortSignal.timeout(20000)}),

	// run ends the process with the result of a test.
	run: (test) => test().then(() => process.exit(0), (err) => {
		console.error(err);
		process.exit(1);
	}),
};
