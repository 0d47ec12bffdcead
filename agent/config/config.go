package config

import (
	"encoding/json"

	"pithings/conf"
	"pithings/gateway"
	"pithings/history"
)

// Config is a whole configuration. Load, LoadMock, Parse and Mock return it with
// all defaults filled in and all relations checked.
type Config struct {
	Version  int      `json:"version" default:"1" min:"1" max:"1000000" env:"-" change:"local" jsonschema:"version of this file's format"`
	MQTT     MQTT     `json:"mqtt" jsonschema:"the connection that all things and flows share, unless a thing has its own"`
	Broker   Broker   `json:"broker" jsonschema:"an MQTT broker inside this process"`
	HTTP     HTTP     `json:"http" jsonschema:"the web server that hands out pictures"`
	State    string   `json:"state" expand:"path" change:"local" jsonschema:"folder for pictures and queues; empty: $STATE_DIRECTORY, else /var/lib/pithings for root, else the user's state folder"`
	Clock    string   `json:"clock" default:"auto" enum:"auto,trust" change:"local" jsonschema:"auto: messages with a time in them wait until the clock is known to be right (synchronised, or set from a real-time clock at boot); trust: it is trusted as it is"`
	Pictures Pictures `json:"pictures" jsonschema:"how many pictures are kept"`
	Log      Log      `json:"log" jsonschema:"what is written to standard error"`
	Services Services `json:"services" jsonschema:"what flows may reach of web services"`
	Things   []Thing  `json:"things" jsonschema:"the parts of this board"`
	Flows    []Flow   `json:"flows" jsonschema:"what happens between the things"`

	HomeAssistant       bool   `json:"home_assistant" default:"false" change:"local" jsonschema:"whether this device appears in Home Assistant, at the same broker, with all that its things measure and do; it may then change the numbers among their settings. Not at AWS IoT Core"`
	HomeAssistantPrefix string `json:"home_assistant_prefix" default:"homeassistant" change:"local" jsonschema:"first levels of Home Assistant's topics, as its MQTT integration has them: discovery prefix"`

	AWSIoT  AWSIoT           `json:"awsiot" jsonschema:"services of AWS IoT Core, over any broker"`
	Gateway gateway.Settings `json:"gateway" jsonschema:"collection groups, alarms and scripts, as InHand's Device Supervisor has them"`
	History history.Settings `json:"history" jsonschema:"what things measured, kept for charts"`

	places conf.Places // where each value was given
	afar   string      // the source of what was accepted from afar; "": there is nothing
}

// MQTT is one connection to a broker.
type MQTT struct {
	// Endpoint is a URL (mqtt://, mqtts://, ws:// or wss://). It is empty when
	// the embedded broker is to be used.
	Endpoint string `json:"endpoint" expand:"path" change:"with_secret" secret:"password" jsonschema:"the broker: mqtts://HOST:8883, mqtt://HOST:1883, ws://…, wss://…; HOST alone means mqtts on 8883; empty: the embedded broker"`
	CA       string `json:"ca" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the authorities that may sign the broker's certificate; empty: those of the system"`
	Cert     string `json:"cert" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of this client's certificate"`
	Key      string `json:"key" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the certificate's private key"`
	// ClientID is empty when the program chooses. A thing's own connection has
	// the thing's name by default.
	ClientID       string        `json:"client_id" expand:"name" change:"local" jsonschema:"client identifier, one for each connection; empty: chosen by the program, the thing's name for a thing's own connection"`
	Username       string        `json:"username" expand:"path" change:"with_secret" secret:"password" jsonschema:"user name for brokers that ask for one"`
	Password       conf.Secret   `json:"password" expand:"path" change:"with_secret" secret:"password" jsonschema:"password; better given as password_file or PITHINGS_MQTT_PASSWORD"`
	PasswordFile   string        `json:"password_file" expand:"path" file:"credential" change:"local" jsonschema:"file whose first line is the password"`
	ALPN           string        `json:"alpn" change:"local" jsonschema:"TLS application protocol; empty: x-amzn-mqtt-ca on port 443 of AWS, else none"`
	ServerName     string        `json:"server_name" expand:"path" change:"with_secret" secret:"password" jsonschema:"name expected in the broker's certificate; empty: the endpoint's host"`
	Keepalive      conf.Duration `json:"keepalive" default:"30s" min:"5s" max:"18h" change:"local" jsonschema:"longest silence on the connection"`
	ConnectTimeout conf.Duration `json:"connect_timeout" default:"10s" min:"100ms" max:"10m" change:"local" jsonschema:"time for one attempt to connect"`
	AckTimeout     conf.Duration `json:"ack_timeout" default:"5s" min:"100ms" max:"10m" change:"local" jsonschema:"time for the broker to acknowledge"`
	Reconnect      Reconnect     `json:"reconnect" jsonschema:"pauses between attempts to connect, with full jitter"`
	Queue          Queue         `json:"queue" jsonschema:"messages that wait for the connection"`
	Order          string        `json:"order" default:"fifo" enum:"fifo,live_first" change:"afar" jsonschema:"fifo: all in the order in which it was published; live_first: what is new goes ahead of what had to wait, which goes to history_topic in between"`
	HistoryTopic   string        `json:"history_topic" expand:"topic" default:"{topic}/history" change:"afar" jsonschema:"with order: live_first, where messages go that had to wait; {topic} stands for their own"`
	Drain          conf.Rate     `json:"drain" default:"unlimited" change:"afar" jsonschema:"how fast waiting messages are sent after a reconnect: 2/s, 80/s, unlimited"`
	Window         int           `json:"window" default:"20" min:"1" max:"1000" change:"afar" jsonschema:"messages in flight without an acknowledgement"`
	Will           Message       `json:"will" jsonschema:"what the broker publishes when the connection is lost"`
	Birth          Message       `json:"birth" jsonschema:"what is published at each connect, before all else"`
	Close          Message       `json:"close" jsonschema:"what is published when the program ends"`
	Status         bool          `json:"status" change:"local" jsonschema:"will, birth and close are online and offline, retained on {client_id}/status; by default true for the shared connection, unless one of the three is given or the broker is AWS IoT Core"`

	// accepted says that Endpoint, Username, Password and ServerName were accepted from afar, as
	// one: PasswordFile does not count then.
	accepted bool
}

// Reconnect are the pauses between attempts to connect: Min, doubled after each
// failure up to Max, back to Min after a connection that lasted Stable.
type Reconnect struct {
	Min    conf.Duration `json:"min" default:"1s" min:"100ms" max:"1h" change:"local" jsonschema:"first pause; doubled after each failure"`
	Max    conf.Duration `json:"max" default:"32s" min:"100ms" max:"24h" change:"local" jsonschema:"longest pause"`
	Stable conf.Duration `json:"stable" default:"20s" min:"1s" max:"24h" change:"local" jsonschema:"a connection that lasted so long starts over at min"`
}

// Queue is the outbox of a connection: the messages that wait for it, on disk in
// the state folder.
type Queue struct {
	Max      int           `json:"max" default:"-1" min:"-1" max:"100000000" change:"afar" jsonschema:"most messages; -1: no limit, 0: none wait"`
	MaxBytes conf.Bytes    `json:"max_bytes" default:"1GiB" min:"0" max:"1TiB" change:"afar" jsonschema:"most bytes of topics and payloads; 0: no limit"`
	MaxAge   conf.Duration `json:"max_age" default:"0s" min:"0s" max:"87600h" change:"afar" jsonschema:"a message that has waited so long is dropped; 0: never"`
	Drop     string        `json:"drop" default:"newest" enum:"newest,oldest" change:"afar" jsonschema:"which message is dropped when the queue is full"`
	Alarms   Alarms        `json:"alarms" jsonschema:"limits of their own for what happens once: motion, pictures, alarms"`
	Sync     string        `json:"sync" default:"interval" enum:"interval,always,never" change:"afar" jsonschema:"interval: a power cut costs at most the interval; always: nothing, but each message is synced to the disk by itself; never: for file systems in memory"`
	Interval conf.Duration `json:"interval" default:"1s" min:"100ms" max:"1h" change:"afar" jsonschema:"how often the queue is synced to the disk with sync: interval"`
}

// The values of MQTT.Order.
const (
	OrderFIFO      = "fifo"
	OrderLiveFirst = "live_first"
)

// Alarms bounds the alarms in a queue apart from the readings. With Max 0 both
// count together.
type Alarms struct {
	Max      int           `json:"max" default:"0" min:"-1" max:"100000000" change:"afar" jsonschema:"most messages; -1: no limit, 0: they count with all others"`
	MaxBytes conf.Bytes    `json:"max_bytes" default:"0" min:"0" max:"1TiB" change:"afar" jsonschema:"most bytes; 0: no limit"`
	MaxAge   conf.Duration `json:"max_age" default:"0s" min:"0s" max:"87600h" change:"afar" jsonschema:"an alarm that has waited so long is dropped; 0: never"`
	Drop     string        `json:"drop" default:"oldest" enum:"newest,oldest" change:"afar" jsonschema:"which alarm is dropped when there are too many"`
}

// The values of Queue.Drop.
const (
	DropNewest = "newest"
	DropOldest = "oldest"
)

// Broker is the embedded broker. It runs when Listen is not empty.
type Broker struct {
	Listen         string        `json:"listen" change:"local" jsonschema:"address of the embedded broker, for example 127.0.0.1:1883; empty: off. On an address that other hosts can reach it needs users, client certificates or allow_anonymous"`
	Users          []BrokerUser  `json:"users" jsonschema:"who may connect; empty: every program on this host"`
	AllowAnonymous bool          `json:"allow_anonymous" default:"false" change:"local" jsonschema:"whether clients without a user name may connect, from other hosts too; they may do what the user named anonymous may, or everything without such a user"`
	TLS            BrokerTLS     `json:"tls" jsonschema:"encryption; cert and key turn it on"`
	MaxMemory      conf.Bytes    `json:"max_memory" default:"16MiB" min:"4MiB" max:"1GiB" change:"afar" jsonschema:"most memory for all that the broker keeps: retained messages, messages for slow and absent clients, connections"`
	SessionExpiry  conf.Duration `json:"session_expiry" default:"2h" min:"1m" max:"720h" change:"afar" jsonschema:"how long subscriptions and messages are kept for a client that is absent"`
}

// BrokerUser is a user who may connect to the embedded broker.
type BrokerUser struct {
	Name         string      `json:"name" expand:"name" change:"local" jsonschema:"user name, or the common name of a client certificate; anonymous: clients without a name"`
	PasswordHash conf.Secret `json:"password_hash" change:"local" jsonschema:"hash of the password, as pithings hash-password and mosquitto_passwd make it"`
	PasswordFile string      `json:"password_file" expand:"path" file:"credential" change:"local" jsonschema:"file with the hash: alone in its first line, or as NAME:HASH in one that mosquitto_passwd made"`
	Publish      []string    `json:"publish" expand:"topic" change:"local" jsonschema:"filters of the topics that the user may publish to; %u: the user's name, %c: the client id. Without publish and subscribe: all"`
	Subscribe    []string    `json:"subscribe" expand:"topic" change:"local" jsonschema:"filters of the topics that the user may read"`
}

// BrokerTLS encrypts the embedded broker's connections.
type BrokerTLS struct {
	Cert     string `json:"cert" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the broker's certificate; clients connect by mqtts:// then"`
	Key      string `json:"key" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the certificate's private key"`
	ClientCA string `json:"client_ca" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the authorities of client certificates; a client with one needs no password, its user is the common name"`
}

// HTTP is the one web server of the process.
type HTTP struct {
	Listen  string  `json:"listen" default:"127.0.0.1:8080" change:"local" jsonschema:"address of the web server; until a password is set, other hosts get only pictures, and what allow_nets and token_file allow"`
	TLS     HTTPTLS `json:"tls" jsonschema:"encryption: cert and key, or self_made, turn it on"`
	BaseURL string  `json:"base_url" expand:"path" change:"local" jsonschema:"how others reach the web server, for picture URLs; empty: derived from listen or from the local address toward the broker"`

	AllowNets []string `json:"allow_nets" form:"network" change:"local" jsonschema:"networks (CIDR) whose hosts may see /metrics and /healthz"`
	TokenFile string   `json:"token_file" expand:"path" file:"credential" change:"local" jsonschema:"file whose first line is a token; who sends it (Authorization: Bearer TOKEN) may see /metrics and /healthz"`

	Playground bool `json:"playground" change:"local" jsonschema:"serve the web interface of the AWS IoT Playground's devices below /playground (docs/playground.md)"`

	PasswordHash   conf.Secret `json:"password_hash" change:"local" jsonschema:"hash of the password that opens the web server to other hosts, as pithings passwd --hash prints it; empty: the one that pithings passwd has set"`
	TrustedProxies []string    `json:"trusted_proxies" form:"network" change:"local" jsonschema:"networks (CIDR) of reverse proxies whose X-Forwarded-For is trusted; what they forward is never of this machine"`
	BasePath       string      `json:"base_path" change:"local" jsonschema:"path below which a reverse proxy has the web server, for example /pithings"`

	MaxConnections int `json:"max_connections" default:"64" min:"4" max:"4096" change:"afar" jsonschema:"most connections at a time; at the limit the oldest idle one is closed, and none of a client that is logged in"`
}

// HTTPTLS encrypts the web server's connections.
type HTTPTLS struct {
	Cert     string `json:"cert" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the web server's certificate, with those that lead to its authority behind it; it is read again when it has changed"`
	Key      string `json:"key" expand:"path" file:"credential" change:"local" jsonschema:"PEM file of the certificate's private key"`
	SelfMade bool   `json:"self_made" default:"false" change:"local" jsonschema:"the agent makes a certificate itself, and logs its SHA-256 fingerprint, with which people compare what their browser warns of"`
}

// On reports whether connections are encrypted.
func (t *HTTPTLS) On() bool { return t.Cert != "" || t.SelfMade }

// The values of Config.Clock.
const (
	ClockAuto  = "auto"
	ClockTrust = "trust"
)

// Pictures bounds the pictures kept in the state folder. The oldest go first.
type Pictures struct {
	MaxCount int        `json:"max_count" default:"100" min:"1" max:"1000000" change:"afar" jsonschema:"most pictures kept; the oldest go first"`
	MaxBytes conf.Bytes `json:"max_bytes" default:"64MiB" min:"64KiB" max:"1TiB" change:"afar" jsonschema:"most space for pictures"`

	Expiry conf.Duration `json:"expiry" default:"0s" min:"0s" max:"720h" change:"local" jsonschema:"how long the announced address of a picture opens it, which is signed then; 0: its name is enough, as long as it is kept"`
}

// Services bounds what flows may reach of web services. The hosts that a service's
// description names may be called anyhow; link-local, multicast and unspecified
// addresses, and this machine's own, only if a network of theirs is allowed.
type Services struct {
	AllowHosts []string      `json:"allow_hosts" change:"local" jsonschema:"further hosts, for services whose host is given by the flow: api.example.com; .example.com allows all below it"`
	AllowNets  []string      `json:"allow_nets" form:"network" change:"local" jsonschema:"networks (CIDR) that are closed otherwise: 127.0.0.0/8 for a service on this machine"`
	Secrets    string        `json:"secrets" change:"local" jsonschema:"folder with secrets that the descriptions of services may name, one in each file; a user who may deploy a flow may send them anywhere"`
	MaxBytes   conf.Bytes    `json:"max_bytes" default:"1MiB" min:"1KiB" max:"64MiB" change:"afar" jsonschema:"longest answer"`
	Timeout    conf.Duration `json:"timeout" default:"60s" min:"100ms" max:"10m" change:"afar" jsonschema:"time for a request, whatever the step's"`
}

// Log is what goes to standard error.
type Log struct {
	Level  string `json:"level" default:"info" enum:"debug,info,warn,error" change:"afar" jsonschema:"least level that is written"`
	Format string `json:"format" default:"text" enum:"text,json" change:"afar" jsonschema:"form of a line"`
}

// LogJSON is the Log.Format of other programs.
const LogJSON = "json"

// Connection returns the connection that the thing uses: its own, or c's.
func (c *Config) Connection(t *Thing) *MQTT {
	if t.MQTT != nil {
		return t.MQTT
	}
	return &c.MQTT
}

// Thing returns the thing of that name, or nil.
func (c *Config) Thing(name string) *Thing {
	for i := range c.Things {
		if c.Things[i].Name == name {
			return &c.Things[i]
		}
	}
	return nil
}

// String returns the configuration as indented JSON, which is YAML too. Secrets
// are shown as "[set]".
func (c *Config) String() string {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "configuration: " + err.Error()
	}
	return string(b)
}
