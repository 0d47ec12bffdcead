package rogue

import "context"

// Behaviour is one thing that attackers or broken firmware do.
type Behaviour struct {
	Name      string
	Does      string   // what it does
	Good      string   // what a good broker does
	Severity  Severity // of it being let through
	Mosquitto string   // the cure
	AWS       string   // the cure
	run       func(context.Context, *probe) Finding
	alone     bool // one device at a time: it loads the broker, or would spoil the evidence of another
}

// The cures that several behaviours have.
const (
	mosquittoACL = `mosquitto.conf: allow_anonymous false, use_identity_as_username true, acl_file with "pattern readwrite cmd/ac/%u/#" and "pattern write dt/ac/+/+/%u/#" and no line for others' topics (pithings provision local writes both)`
	awsPublish   = `allow iot:Publish on arn:aws:iot:REGION:ACCOUNT:topic/dt/ac/*/*/${iot:Connection.Thing.ThingName}/* and topic/cmd/ac/${iot:Connection.Thing.ThingName}/*, and nothing else; no "Resource": "*"`
	awsSubscribe = `allow iot:Subscribe on arn:aws:iot:REGION:ACCOUNT:topicfilter/cmd/ac/${iot:Connection.Thing.ThingName}/* and iot:Receive on topic/cmd/ac/${iot:Connection.Thing.ThingName}/*, and nothing else; no "Resource": "*"`
	awsShadow    = `allow iot:Publish, iot:Receive on arn:aws:iot:REGION:ACCOUNT:topic/$aws/things/${iot:Connection.Thing.ThingName}/*, iot:Subscribe on topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/*; never on $aws/things/*`
	awsConnect   = `allow iot:Connect on arn:aws:iot:REGION:ACCOUNT:client/${iot:Connection.Thing.ThingName} alone, with "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}`
	awsLastWill  = `leave iot:Connect's wills to iot:Publish: it must not allow the topic; ` + awsPublish
	awsRetain    = `do not allow iot:RetainPublish: it is an action of its own beside iot:Publish`
	awsFixed     = `it is AWS IoT Core's own behaviour: report it to AWS`
	mosquittoIDs = `mosquitto.conf: use_username_as_clientid true, with use_identity_as_username true (certificates) or a password for each device`
	mosquittoNew = `mosquitto has no setting for it: take its latest version`
	mosquittoBig = `mosquitto.conf: max_packet_size 1048576 (or less: usual messages have 200 bytes)`
	mosquittoRet = `mosquitto.conf: acl_file without "readwrite" or "write" where nothing is to be kept; retain_available false, if no device needs retained messages`
)

// List returns all behaviours, in the order in which the first device runs them.
func List() []Behaviour {
	return []Behaviour{
		// Who comes in.
		{Name: "no-login", Does: "connects without a certificate, a user name or a password", Good: "refuses the login", Severity: Critical,
			Mosquitto: "mosquitto.conf: allow_anonymous false, and require_certificate true with cafile, or password_file", AWS: awsFixed, run: noLogin},
		{Name: "wrong-password", Does: "connects with its user name and a wrong password", Good: "refuses the login", Severity: Critical,
			Mosquitto: "mosquitto.conf: allow_anonymous false, password_file FILE (mosquitto_passwd writes it)", AWS: "have the Lambda of your custom authorizer return isAuthenticated: false", run: wrongPassword},
		{Name: "forged-certificate", Does: "shows a certificate with its name that no authority has signed", Good: "refuses the handshake", Severity: Critical,
			Mosquitto: "mosquitto.conf: cafile FILE, require_certificate true", AWS: awsFixed, run: strangersCertificate},
		{Name: "wrong-client-id", Does: "connects under a client id that is not its name", Good: "refuses it, or uses the name of the login", Severity: Medium,
			Mosquitto: mosquittoIDs, AWS: awsConnect, run: wrongID},
		{Name: "empty-client-id", Does: "connects with an empty client id", Good: "refuses it, or uses the name of the login", Severity: Low,
			Mosquitto: "mosquitto.conf: allow_zero_length_clientid false, or " + mosquittoIDs[len("mosquitto.conf: "):], AWS: awsConnect, run: emptyID},
		{Name: "long-client-id", Does: "connects under a client id of 65535 bytes", Good: "refuses it, or uses the name of the login", Severity: Low,
			Mosquitto: mosquittoIDs, AWS: awsConnect, run: longID},
		{Name: "odd-client-id", Does: "connects under client ids with wildcards, control characters and line ends", Good: "refuses them, or uses the name of the login", Severity: Medium,
			Mosquitto: mosquittoIDs, AWS: awsConnect, run: oddID},
		{Name: "stolen-client-id", Does: "connects under the client ids of a list: the broker ends the connections of who has them", Good: "refuses them, or uses the name of the login", Severity: High,
			Mosquitto: mosquittoIDs, AWS: awsConnect, run: stolenID},

		// Topics of others.
		{Name: "publish-foreign", Does: "publishes a command to another device", Good: "does not deliver it", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsPublish, run: publishForeign},
		{Name: "subscribe-foreign", Does: "subscribes to the commands of another device", Good: "refuses it, or delivers nothing", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsSubscribe, run: listenBy(foreignCommands)},
		{Name: "subscribe-all", Does: "subscribes to #", Good: "refuses it, or delivers its own messages alone", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsSubscribe, run: listenBy(everything)},
		{Name: "subscribe-plus", Does: "subscribes to +/+/+, with as many levels as commands have", Good: "refuses it, or delivers its own messages alone", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsSubscribe, run: listenBy(oneLevelEach)},
		{Name: "subscribe-shared", Does: "subscribes to $share/…/#", Good: "refuses it, or delivers its own messages alone", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsSubscribe, run: shared},
		{Name: "shadow-foreign", Does: "sets the shadow of another thing", Good: "does not deliver it", Severity: High,
			Mosquitto: `mosquitto.conf: acl_file with "pattern readwrite $aws/things/%u/#" and no line for others'`, AWS: awsShadow, run: foreignShadow},
		{Name: "jobs-foreign", Does: "subscribes to the jobs of another thing", Good: "refuses it, or delivers nothing", Severity: High,
			Mosquitto: `mosquitto.conf: acl_file with "pattern readwrite $aws/things/%u/#" and no line for others'`, AWS: awsShadow, run: foreignJobs},
		{Name: "control", Does: "asks $CONTROL for the list of clients, as the administrator does", Good: "does not answer", Severity: Critical,
			Mosquitto: `mosquitto.conf: no line for $CONTROL in acl_file but the administrator's ("user admin", "topic readwrite $CONTROL/#")`, AWS: awsFixed, run: control},
		{Name: "sys-read", Does: "subscribes to $SYS/#", Good: "refuses it, or delivers nothing", Severity: Low,
			Mosquitto: `mosquitto.conf: acl_file without "topic read $SYS/#" but for who monitors; or sys_interval 0`, AWS: awsFixed, run: readSystem},
		{Name: "sys-write", Does: "publishes below $SYS", Good: "does not deliver it", Severity: High,
			Mosquitto: `mosquitto.conf: acl_file without "write" or "readwrite" for $SYS`, AWS: awsFixed, run: writeSystem},

		// Sizes.
		{Name: "payload-huge", Does: "publishes 2 MiB on its own topic", Good: "closes the connection, or drops it", Severity: Medium,
			Mosquitto: mosquittoBig, AWS: awsFixed, run: hugeMessage, alone: true},
		{Name: "topic-long", Does: "publishes on a topic of 65535 bytes", Good: "closes the connection, or drops it", Severity: Low,
			Mosquitto: mosquittoNew + "; max_packet_size below 65536 stops it", AWS: awsFixed, run: longTopic},
		{Name: "topic-deep", Does: "publishes on a topic of 1000 levels", Good: "closes the connection, or drops it", Severity: Low,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: deepTopic},

		// Load.
		{Name: "flood", Does: "publishes 2000 messages as fast as the cap of this program allows", Good: "serves others meanwhile, or closes the connection", Severity: Medium,
			Mosquitto: "mosquitto has no limit of rates: put one before it (nftables limit rate), and give it a faster machine; max_packet_size, max_queued_messages", AWS: awsFixed, run: flood, alone: true},
		{Name: "slow-reader", Does: "subscribes, and does not read 32 MiB of messages", Good: "keeps a part of them, or closes the connection, and serves others meanwhile", Severity: Medium,
			Mosquitto: "mosquitto.conf: max_queued_bytes 16777216, max_queued_messages 1000", AWS: awsFixed, run: slowReader, alone: true},
		{Name: "half-logins", Does: "opens 50 connections and sends its first bytes one at a time, never all (slow loris)", Good: "serves others meanwhile", Severity: Medium,
			Mosquitto: "mosquitto.conf: a max_connections that leaves room; nftables ct count for each address", AWS: awsFixed, run: halfLogins, alone: true},
		{Name: "subscription-storm", Does: "subscribes to 1000 topics of its own", Good: "refuses most, or closes the connection, and serves others meanwhile", Severity: Low,
			Mosquitto: "mosquitto has no limit of subscriptions: list exact topics instead of # in acl_file", AWS: awsFixed, run: storm, alone: true},

		// What is kept.
		{Name: "retained-own", Does: "leaves 100 retained messages on its own topics", Good: "keeps a part of them, or none", Severity: Low,
			Mosquitto: mosquittoRet, AWS: awsRetain, run: retainedOwn, alone: true},
		{Name: "retained-foreign", Does: "leaves a retained message on a topic of another device", Good: "does not keep it", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsRetain + "; " + awsPublish, run: retainedForeign, alone: true},

		// Wills.
		{Name: "will-foreign", Does: "has a will on a topic of another device, and dies", Good: "refuses the login, or does not publish it", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsLastWill, run: willForeign},
		{Name: "will-retained", Does: "has a retained will on a topic of another device, and dies", Good: "refuses the login, or does not keep it", Severity: High,
			Mosquitto: mosquittoACL, AWS: awsLastWill, run: willRetained, alone: true},
		{Name: "will-shadow", Does: "has a will that sets the shadow of another thing, and dies", Good: "refuses the login, or does not publish it", Severity: High,
			Mosquitto: `mosquitto.conf: acl_file with "pattern readwrite $aws/things/%u/#" and no line for others'`, AWS: awsShadow, run: willShadow},
		{Name: "will-huge", Does: "has a will of 65535 bytes on its own topic, and dies", Good: "refuses the login, or does not publish it", Severity: Low,
			Mosquitto: "mosquitto.conf: max_packet_size below 65536", AWS: awsFixed, run: willHuge},
		{Name: "will-broken", Does: "has a will with a wildcard, or with QoS 3", Good: "closes the connection", Severity: Medium,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: willBroken},

		// The protocol.
		{Name: "garbage", Does: "sends random bytes instead of a login", Good: "closes the connection", Severity: High,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: garbage},
		{Name: "half-packets", Does: "sends a part of a login and no more", Good: "waits for a while, and serves others", Severity: Medium,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: halfPacket},
		{Name: "wrong-length", Does: "sends logins whose length is not theirs", Good: "closes the connection, or waits for the rest", Severity: Medium,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: wrongLength},
		{Name: "publish-before-login", Does: "publishes before it logs in", Good: "closes the connection", Severity: Critical,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: publishFirst},
		{Name: "second-connect", Does: "logs in twice on one connection", Good: "closes the connection", Severity: Low,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: secondConnect},
		{Name: "reserved-bits", Does: "sends packets of reserved types and with wrong flags", Good: "closes the connection", Severity: Low,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: reservedBits},
		{Name: "invalid-utf8", Does: "publishes on topics that are no UTF-8, or have U+0000", Good: "closes the connection, or drops it", Severity: Medium,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: invalidUTF8},
		{Name: "wildcard-topic", Does: "publishes on topics with # and +", Good: "closes the connection, or drops it", Severity: Medium,
			Mosquitto: mosquittoNew, AWS: awsFixed, run: wildcardTopic},
	}
}
