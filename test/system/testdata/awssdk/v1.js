// The AWS IoT Device SDK for JavaScript, version 1: thingShadow, jobs and device.
'use strict';
const sdk = require('aws-iot-device-sdk');
const {assert, ask, ca, cert, host, key, next, port, run, say} = require('./check');

const options = (clientId) => ({host, port, clientId, caPath: ca, certPath: cert, keyPath: key, protocol: 'mqtts'});

// shadow has answers of the kinds status, delta and foreignStateChange.
async function shadow() {
	const lamp = sdk.thingShadow(options('v1-shadow'));
	await next(lamp, 'connect');
	await new Promise((resolve, reject) => lamp.register('lamp', {}, (err) => err ? reject(err) : resolve()));

	// status sends a request, and returns its answer.
	const status = async (send) => {
		const answer = next(lamp, 'status');
		const token = send();
		assert.notStrictEqual(token, null, 'a request is under way');
		const [thing, stat, clientToken, content] = await answer;
		assert.strictEqual(thing, 'lamp');
		assert.strictEqual(clientToken, token);
		return [stat, content];
	};

	let [stat, content] = await status(() => lamp.get('lamp'));
	assert.strictEqual(stat, 'rejected');
	assert.strictEqual(content.code, 404);
	say('v1 get of no shadow');

	[stat, content] = await status(() => lamp.update('lamp', {state: {reported: {color: 'green', rgb: [0, 255, 0]}}}));
	assert.strictEqual(stat, 'accepted');
	assert.deepStrictEqual(content.state, {reported: {color: 'green', rgb: [0, 255, 0]}});
	say('v1 update');

	const delta = next(lamp, 'delta');
	[stat] = await status(() => lamp.update('lamp', {state: {desired: {color: 'red', rgb: [255]}}}));
	assert.strictEqual(stat, 'accepted');
	assert.deepStrictEqual((await delta)[1].state, {color: 'red', rgb: [255]});
	say('v1 delta');

	[stat, content] = await status(() => lamp.get('lamp'));
	assert.strictEqual(stat, 'accepted');
	assert.deepStrictEqual(content.state, {desired: {color: 'red', rgb: [255]}, reported: {color: 'green', rgb: [0, 255, 0]}, delta: {color: 'red', rgb: [255]}});
	assert.deepStrictEqual(Object.keys(content.metadata.desired), ['color', 'rgb']);
	say('v1 get');

	const foreign = next(lamp, 'foreignStateChange');
	await ask('set lamp {"color":"blue"}');
	const [thing, operation, change] = await foreign;
	assert.strictEqual(thing + ' ' + operation, 'lamp update');
	assert.deepStrictEqual(change.state, {desired: {color: 'blue'}});
	say('v1 foreign state change');

	[stat] = await status(() => lamp.update('lamp', {state: {reported: null, desired: {rgb: null}}}));
	assert.strictEqual(stat, 'accepted');
	[stat, content] = await status(() => lamp.get('lamp'));
	assert.deepStrictEqual(content.state, {desired: {color: 'blue'}, delta: {color: 'blue'}});
	say('v1 null');

	[stat] = await status(() => lamp.delete('lamp'));
	assert.strictEqual(stat, 'accepted');
	say('v1 delete');
	lamp.end(true);
}

// jobs gets a job that is there, and one that comes.
async function jobs() {
	const client = sdk.jobs(options('v1-jobs'));
	await next(client, 'connect');
	// next is a job for an operation.
	const job = (operation) => new Promise((resolve, reject) => client.subscribeToJobs('lamp', operation, (err, job) => err ? reject(err) : resolve(job)));
	const report = (how, details) => new Promise((resolve, reject) => how(details, (err) => err ? reject(err) : resolve()));

	await ask('create v1-first lamp {"operation":"install","package":"a"}');
	const install = job('install');
	client.startJobNotifications('lamp', (err) => assert.ifError(err));
	const first = await install;
	assert.strictEqual(first.id, 'v1-first');
	assert.deepStrictEqual(first.document, {operation: 'install', package: 'a'});
	assert.strictEqual(first.status.status, 'QUEUED');
	await report(first.inProgress, {progress: '50%'});
	await ask('expect v1-first IN_PROGRESS');
	say('v1 job in progress');

	const other = job('reboot');
	await ask('create v1-second lamp {"operation":"reboot"}');
	await report(first.succeeded, {progress: '100%'});
	const second = await other;
	assert.strictEqual(second.id, 'v1-second');
	await ask('expect v1-first SUCCEEDED');
	say('v1 job succeeded');

	await report(second.failed, {why: 'no power'});
	await ask('expect v1-second FAILED');
	say('v1 job failed');
	client.end(true);
}

// device is beside a thing of ours.
async function device() {
	const client = sdk.device(options('v1-device'));
	await next(client, 'connect');
	await new Promise((resolve, reject) => client.subscribe('TG_MS/motion', {qos: 1}, (err) => err ? reject(err) : resolve()));
	const message = next(client, 'message');
	await ask('move');
	const [topic, payload] = await message;
	assert.strictEqual(topic, 'TG_MS/motion');
	assert.deepStrictEqual(JSON.parse(payload), {isMotionDetected: true});
	say('v1 device beside a thing');
	client.end(true);
}

run(async () => {
	await shadow();
	await jobs();
	await device();
});
