// The AWS IoT Device SDK for JavaScript, version 2, over MQTT 5: shadow, jobs and identity.
'use strict';
const {iot, iotidentity, iotjobs, iotshadow, mqtt5} = require('aws-iot-device-sdk-v2');
const {assert, ask, ca, cert, host, key, next, port, run, say} = require('./check');

const service = {maxRequestResponseSubscriptions: 20, maxStreamingSubscriptions: 10, operationTimeoutInSeconds: 20};

// refused returns what an answer says that refuses a request.
async function refused(request) {
	try {
		await request;
	} catch (err) {
		assert.ok(err.modeledError, err);
		return err.modeledError;
	}
	assert.fail('accepted');
}

// open opens a stream of events, and waits until it is subscribed.
async function open(stream) {
	const subscribed = next(stream, 'subscriptionStatus');
	stream.open();
	await subscribed;
	return stream;
}

async function shadow(client) {
	const shadows = iotshadow.IotShadowClientv2.newFromMqtt5(client, service);
	const thing = {thingName: 'lamp2'}, named = {thingName: 'lamp2', shadowName: 'night'};

	let err = await refused(shadows.getShadow(thing));
	assert.strictEqual(err.code, 404);
	assert.strictEqual(err.message, "No shadow exists with name: 'lamp2'");
	say('v2 get of no shadow');

	const deltas = await open(shadows.createNamedShadowDeltaUpdatedStream(named));
	const updates = await open(shadows.createNamedShadowUpdatedStream(named));
	const delta = next(deltas, 'incomingPublish'), update = next(updates, 'incomingPublish');
	let answer = await shadows.updateNamedShadow({...named, state: {desired: {dim: 0.5}, reported: {dim: 1}}});
	assert.strictEqual(answer.version, 1);
	assert.deepStrictEqual(answer.state, {desired: {dim: 0.5}, reported: {dim: 1}});
	assert.deepStrictEqual((await delta)[0].message.state, {dim: 0.5});
	const current = (await update)[0].message.current;
	assert.deepStrictEqual(current.state, {desired: {dim: 0.5}, reported: {dim: 1}});
	assert.strictEqual(current.version, 1);
	say('v2 update, delta and documents');

	err = await refused(shadows.updateNamedShadow({...named, version: 7, state: {reported: {dim: 0.5}}}));
	assert.strictEqual(err.code, 409);
	answer = await shadows.updateNamedShadow({...named, version: 1, state: {reported: {dim: 0.5}}});
	assert.strictEqual(answer.version, 2);
	say('v2 version conflict');

	answer = await shadows.getNamedShadow(named);
	assert.deepStrictEqual(answer.state, {desired: {dim: 0.5}, reported: {dim: 0.5}});
	say('v2 get');

	answer = await shadows.deleteNamedShadow(named);
	assert.strictEqual(answer.version, 2);
	err = await refused(shadows.deleteNamedShadow(named));
	assert.strictEqual(err.code, 404);
	say('v2 delete');
	shadows.close();
}

async function jobs(client) {
	const service2 = iotjobs.IotJobsClientv2.newFromMqtt5(client, service);
	const thing = {thingName: 'lamp2'};
	let answer = await service2.getPendingJobExecutions(thing);
	assert.deepStrictEqual([answer.inProgressJobs, answer.queuedJobs], [[], []]);
	answer = await service2.startNextPendingJobExecution(thing);
	assert.strictEqual(answer.execution, undefined);
	say('v2 no jobs');

	const changes = await open(service2.createJobExecutionsChangedStream(thing));
	const nexts = await open(service2.createNextJobExecutionChangedStream(thing));
	const change = next(changes, 'incomingPublish'), nextOne = next(nexts, 'incomingPublish');
	await ask('create v2-first lamp2 {"operation":"install"}');
	assert.deepStrictEqual((await change)[0].message.jobs.QUEUED.map((j) => j.jobId), ['v2-first']);
	const execution = (await nextOne)[0].message.execution;
	assert.strictEqual(execution.jobId, 'v2-first');
	assert.deepStrictEqual(execution.jobDocument, {operation: 'install'});
	say('v2 notifications');

	answer = await service2.describeJobExecution({...thing, jobId: 'v2-first', includeJobDocument: true});
	assert.strictEqual(answer.execution.status, 'QUEUED');
	assert.ok(Math.abs(answer.execution.queuedAt * 1000 - Date.now()) < 600000, 'queuedAt is not in seconds');
	answer = await service2.startNextPendingJobExecution({...thing, stepTimeoutInMinutes: 5, statusDetails: {step: '1'}});
	assert.strictEqual(answer.execution.status, 'IN_PROGRESS');
	assert.strictEqual(answer.execution.versionNumber, 2);
	assert.deepStrictEqual(answer.execution.statusDetails, {step: '1'});
	say('v2 describe and start');

	let err = await refused(service2.updateJobExecution({...thing, jobId: 'v2-first', status: 'SUCCEEDED', expectedVersion: 1}));
	assert.strictEqual(err.code, 'VersionMismatch');
	assert.strictEqual(err.executionState.versionNumber, 2);
	answer = await service2.updateJobExecution({...thing, jobId: 'v2-first', status: 'SUCCEEDED', expectedVersion: 2, includeJobExecutionState: true});
	assert.strictEqual(answer.executionState.status, 'SUCCEEDED');
	err = await refused(service2.updateJobExecution({...thing, jobId: 'v2-first', status: 'FAILED'}));
	assert.strictEqual(err.code, 'InvalidStateTransition');
	err = await refused(service2.describeJobExecution({...thing, jobId: 'v2-first'}));
	assert.strictEqual(err.code, 'TerminalStateReached');
	err = await refused(service2.describeJobExecution({...thing, jobId: 'none'}));
	assert.strictEqual(err.code, 'ResourceNotFound');
	say('v2 job succeeded, and refusals');
	service2.close();
}

async function identity(client) {
	const provisioning = iotidentity.IotIdentityClientv2.newFromMqtt5(client, service);
	const keys = await provisioning.createKeysAndCertificate({});
	assert.match(keys.certificatePem, /^-----BEGIN CERTIFICATE-----/);
	assert.match(keys.privateKey, /^-----BEGIN PRIVATE KEY-----/);
	const token = keys.certificateOwnershipToken;
	let err = await refused(provisioning.registerThing({templateName: 'fleet', certificateOwnershipToken: token, parameters: {}}));
	assert.strictEqual(err.statusCode, 400);
	const registered = await provisioning.registerThing({templateName: 'fleet', certificateOwnershipToken: token, parameters: {SerialNumber: '0001'}});
	assert.strictEqual(registered.thingName, 'pi-0001');
	assert.deepStrictEqual(registered.deviceConfiguration, {interval: '60'});
	err = await refused(provisioning.createCertificateFromCsr({certificateSigningRequest: 'none'}));
	assert.strictEqual(err.errorCode, 'InvalidCertificateSigningRequest');
	say('v2 provisioning');
	provisioning.close();
}

run(async () => {
	const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(host, cert, key);
	builder.withCertificateAuthorityFromPath(undefined, ca);
	builder.withPort(port);
	builder.withConnectProperties({clientId: 'v2', keepAliveIntervalSeconds: 60});
	const client = new mqtt5.Mqtt5Client(builder.build());
	const connected = next(client, 'connectionSuccess');
	client.on('connectionFailure', (e) => console.error(e.error));
	client.start();
	await connected;
	await shadow(client);
	await jobs(client);
	await identity(client);
	client.stop();
});
