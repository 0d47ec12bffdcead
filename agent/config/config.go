package config

import (
	"encoding/json"
	"strings"
)

// Config is a whole configuration. Load, LoadMock, Parse and Mock return it with
// all defaults filled in and all relations checked.
type Config struct {
	MQTT     MQTT     `json:"mqtt" jsonschema:"the connection that all things and flows share, unless a thing has its own"`
	Broker   Broker   `json:"broker" jsonschema:"an MQTT broker inside this process"`
	HTTP     HTTP     `json:"http" jsonschema:"the web server that hands out pictures"`
	State    string   `json:"state" jsonschema:"folder for pictures and queues; empty: $STATE_DIRECTORY, else /var/lib/pithings for root, else the user's state folder"`
	Clock    string   `json:"clock" default:"auto" enum:"auto,trust" jsonschema:"auto: messages with a time in them wait until the clock is known to be right (synchronised, or set from a real-time clock at boot); trust: it is believed as it is"`
	Pictures Pictures `json:"pictures" jsonschema:"how many pictures are kept"`
	Log      Log      `json:"log" jsonschema:"what is written to standard error"`
	Services Services `json:"services" jsonschema:"what flows may reach of web services"`
	Things   []Thing  `json:"things" jsonschema:"the parts of this board"`
	Flows    []Flow   `json:"flows" jsonschema:"what happens between the things"`
}

// MQTT is one connection to a broker.
type MQTT struct {
	// Endpoint is a URL (mqtt://, mqtts://, ws:// or wss://). It is empty when
	// the embedded broker is to be used.
	Endpoint string `json:"endpoint" jsonschema:"the broker: mqtts://HOST:8883, mqtt://HOST:1883, ws://…, wss://…; HOST alone means mqtts on 8883; empty: the embedded broker"`
	CA       string `json:"ca" jsonschema:"PEM file of the authorities that may sign the broker's certificate; empty: those of the system"`
	Cert     string `json:"cert" jsonschema:"PEM file of this client's certificate"`
	Key      string `json:"key" jsonschema:"PEM file of the certificate's private key"`
	// ClientID is empty when the program chooses. A thing's own connection has
	// the thing's name by default.
	ClientID       string    `json:"client_id" jsonschema:"client identifier, one for each connection; empty: chosen by the program, the thing's name for a thing's own connection"`
	Username       string    `json:"username" jsonschema:"user name for brokers that ask for one"`
	Password       Secret    `json:"password" jsonschema:"password; better given as password_file or PITHINGS_MQTT_PASSWORD"`
	PasswordFile   string    `json:"password_file" jsonschema:"file whose first line is the password"`
	ALPN           string    `json:"alpn" jsonschema:"TLS application protocol; empty: x-amzn-mqtt-ca on port 443 of AWS, else none"`
	ServerName     string    `json:"server_name" jsonschema:"name expected in the broker's certificate; empty: the endpoint's host"`
	Keepalive      Duration  `json:"keepalive" default:"30s" min:"5s" max:"18h" jsonschema:"longest silence on the connection"`
	ConnectTimeout Duration  `json:"connect_timeout" default:"10s" min:"100ms" max:"10m" jsonschema:"time for one attempt to connect"`
	AckTimeout     Duration  `json:"ack_timeout" default:"5s" min:"100ms" max:"10m" jsonschema:"time for the broker to acknowledge"`
	Reconnect      Reconnect `json:"reconnect" jsonschema:"pauses between attempts to connect, with full jitter"`
	Queue          Queue     `json:"queue" jsonschema:"messages that wait for the connection"`
	Order          string    `json:"order" default:"fifo" enum:"fifo,live_first" jsonschema:"fifo: all in the order in which it was published; live_first: what is new goes ahead of what had to wait, which goes to history_topic in between"`
	HistoryTopic   string    `json:"history_topic" default:"{topic}/history" jsonschema:"with order: live_first, where messages go that had to wait; {topic} stands for their own"`
	Drain          Rate      `json:"drain" default:"unlimited" jsonschema:"how fast waiting messages are sent after a reconnect: 2/s, 80/s, unlimited"`
	Window         int       `json:"window" default:"20" min:"1" max:"1000" jsonschema:"messages in flight without an acknowledgement"`
	Will           Will      `json:"will" jsonschema:"what the broker publishes when the connection is lost"`
}

// Reconnect are the pauses between attempts to connect: Min, doubled after each
// failure up to Max, back to Min after a connection that lasted Stable.
type Reconnect struct {
	Min    Duration `json:"min" default:"1s" min:"100ms" max:"1h" jsonschema:"first pause; doubled after each failure"`
	Max    Duration `json:"max" default:"32s" min:"100ms" max:"24h" jsonschema:"longest pause"`
	Stable Duration `json:"stable" default:"20s" min:"1s" max:"24h" jsonschema:"a connection that lasted so long starts over at min"`
}

// Queue is the outbox of a connection: the messages that wait for it, on disk in
// the state folder.
type Queue struct {
	Max      int      `json:"max" default:"-1" min:"-1" max:"100000000" jsonschema:"most messages; -1: no limit, 0: none wait"`
	MaxBytes Bytes    `json:"max_bytes" default:"1GiB" min:"0" max:"1TiB" jsonschema:"most bytes of topics and payloads; 0: no limit"`
	MaxAge   Duration `json:"max_age" default:"0s" min:"0s" max:"87600h" jsonschema:"a message that has waited so long is given up; 0: never"`
	Drop     string   `json:"drop" default:"newest" enum:"newest,oldest" jsonschema:"which message is given up when the queue is full"`
	Alarms   Alarms   `json:"alarms" jsonschema:"limits of their own for what happens once: motion, pictures, alarms"`
	Sync     string   `json:"sync" default:"interval" enum:"interval,always,never" jsonschema:"interval: a power cut costs at most the interval; always: nothing, but each message is synced to the disk by itself; never: for file systems in memory"`
	Interval Duration `json:"interval" default:"1s" min:"100ms" max:"1h" jsonschema:"how often the queue is synced to the disk with sync: interval"`
}

// The values of MQTT.Order.
const (
	OrderFIFO      = "fifo"
	OrderLiveFirst = "live_first"
)

// Alarms bounds the alarms in a queue apart from the readings. With Max 0 both
// count together.
type Alarms struct {
	Max      int      `json:"max" default:"0" min:"-1" max:"100000000" jsonschema:"most messages; -1: no limit, 0: they count with all others"`
	MaxBytes Bytes    `json:"max_bytes" default:"0" min:"0" max:"1TiB" jsonschema:"most bytes; 0: no limit"`
	MaxAge   Duration `json:"max_age" default:"0s" min:"0s" max:"87600h" jsonschema:"an alarm that has waited so long is given up; 0: never"`
	Drop     string   `json:"drop" default:"oldest" enum:"newest,oldest" jsonschema:"which alarm is given up when there are too many"`
}

// The values of Queue.Drop.
const (
	DropNewest = "newest"
	DropOldest = "oldest"
)

// Will is the message that the broker publishes for us when we vanish. There is
// none when Topic is empty.
type Will struct {
	Topic   string `json:"topic" jsonschema:"topic of the will; empty: no will"`
	Payload string `json:"payload" jsonschema:"payload of the will"`
	QoS     int    `json:"qos" default:"0" min:"0" max:"1" jsonschema:"quality of service of the will"`
	Retain  bool   `json:"retain" default:"false" jsonschema:"whether the broker keeps the will"`
}

// Broker is the embedded broker. It runs when Listen is not empty.
type Broker struct {
	Listen string `json:"listen" jsonschema:"address of the embedded broker, for example 127.0.0.1:1883; empty: off. It asks for no password"`
}

// HTTP is the one web server of the process.
type HTTP struct {
	Listen  string `json:"listen" default:"127.0.0.1:8080" jsonschema:"address of the web server; only picture URLs are answered to other hosts"`
	BaseURL string `json:"base_url" jsonschema:"how others reach the web server, for picture URLs; empty: derived from listen or from the local address toward the broker"`
}

// The values of Config.Clock.
const (
	ClockAuto  = "auto"
	ClockTrust = "trust"
)

// Pictures bounds the pictures kept in the state folder. The oldest go first.
type Pictures struct {
	MaxCount int   `json:"max_count" default:"100" min:"1" max:"1000000" jsonschema:"most pictures kept; the oldest go first"`
	MaxBytes Bytes `json:"max_bytes" default:"64MiB" min:"64KiB" max:"1TiB" jsonschema:"most space for pictures"`
}

// Services bounds what flows may reach of web services. The hosts that a service's
// description names may be called anyhow; link-local, multicast and unspecified
// addresses, and this machine's own, only if a network of theirs is allowed.
type Services struct {
	AllowHosts []string `json:"allow_hosts" jsonschema:"further hosts, for services whose host is given by the flow: api.example.com; .example.com allows all below it"`
	AllowNets  []string `json:"allow_nets" jsonschema:"networks (CIDR) that are closed otherwise: 127.0.0.0/8 for a service on this machine"`
	MaxBytes   Bytes    `json:"max_bytes" default:"1MiB" min:"1KiB" max:"64MiB" jsonschema:"longest answer"`
	Timeout    Duration `json:"timeout" default:"60s" min:"100ms" max:"10m" jsonschema:"time for a request, whatever the step's"`
}

// Log is what goes to standard error.
type Log struct {
	Level string `json:"level" default:"info" enum:"debug,info,warn,error" jsonschema:"least level that is written"`
}

// The values of Thing.Type.
const (
	MotionType      = "motion"
	EnvironmentType = "environment"
	CameraType      = "camera"
	ScreenType      = "screen"
)

// Types lists the values of Thing.Type.
func Types() []string { return []string{MotionType, EnvironmentType, CameraType, ScreenType} }

// Thing is one part of the board under a name. Exactly one of Motion,
// Environment, Camera and Screen is set, as Type says; in the file their keys
// stand beside name and type.
type Thing struct {
	Name string `json:"name" jsonschema:"name of the thing: letters, digits, _ . : -"`
	Type string `json:"type" enum:"motion,environment,camera,screen" jsonschema:"what the thing is"`
	// Topics has the template of every topic of the thing's contract, by role;
	// Topic expands one.
	Topics map[string]string `json:"topics" jsonschema:"topics by their role; {thing} stands for the thing's name"`
	// Extra are keys that the thing's payloads have beside the documented ones.
	Extra map[string]string `json:"extra" jsonschema:"texts added to every payload that the thing publishes, by key; without them payloads are exactly the documented ones"`
	// MQTT is the thing's own connection, completely filled in; nil shares
	// Config.MQTT.
	MQTT *MQTT `json:"mqtt,omitempty" jsonschema:"the thing's own connection; what it does not give is that of the shared one, but for client_id and will"`

	Motion      *Motion      `json:"-"`
	Environment *Environment `json:"-"`
	Camera      *Camera      `json:"-"`
	Screen      *Screen      `json:"-"`
}

// Motion is an HC-SR501 motion sensor.
type Motion struct {
	Pin        string   `json:"pin" jsonschema:"GPIO line by name: GPIO17, or CHIP-LABEL:GPIO17; mock simulates it"`
	Publish    string   `json:"publish" default:"detected" enum:"detected,both" jsonschema:"detected: only when motion begins; both: its end too"`
	WarmUp     Duration `json:"warm_up" default:"60s" min:"0s" max:"10m" jsonschema:"time after power-up in which the sensor is not believed"`
	Debounce   Duration `json:"debounce" default:"50ms" min:"0s" max:"10s" jsonschema:"a level counts when it has lasted so long"`
	Hold       Duration `json:"hold" default:"2s" min:"0s" max:"1h" jsonschema:"motion that begins again so soon after its end goes on"`
	TimeKey    string   `json:"time_key" jsonschema:"key under which the messages tell when motion began or ended, for example time; empty: they do not, as in the documented payload"`
	StuckAfter Duration `json:"stuck_after" default:"10m" min:"0s" max:"24h" jsonschema:"motion without end for so long is a fault; 0: never"`
}

// The values of Motion.Publish.
const (
	PublishDetected = "detected"
	PublishBoth     = "both"
)

// Environment is a BME680 or BME688.
type Environment struct {
	Bus               string       `json:"bus" default:"1" jsonschema:"I²C bus: 1 for /dev/i2c-1, a device, or an adapter's name; mock simulates it"`
	Address           Address      `json:"address" default:"auto" jsonschema:"0x76, 0x77, or auto to try both"`
	Interval          Duration     `json:"interval" default:"3s" min:"100ms" max:"24h" jsonschema:"time between measurements"`
	Schema            string       `json:"schema" default:"tutorial" enum:"tutorial,script" jsonschema:"form of the messages of single quantities"`
	TemperatureOffset float64      `json:"temperature_offset" default:"0" min:"-20" max:"20" jsonschema:"°C added to the temperature; humidity and pressure follow"`
	Oversampling      Oversampling `json:"oversampling" jsonschema:"measurements averaged for one value"`
	Filter            int          `json:"filter" default:"3" enum:"0,1,3,7,15,31,63,127" jsonschema:"coefficient of the low-pass filter for temperature and pressure; 0: off"`
	Heater            Heater       `json:"heater" jsonschema:"heater of the gas sensor"`
}

// The values of Environment.Schema.
const (
	SchemaTutorial = "tutorial"
	SchemaScript   = "script"
)

// Oversampling is the number of measurements averaged for one value: 0 skips
// the quantity, else 1, 2, 4, 8 or 16.
type Oversampling struct {
	Temperature int `json:"temperature" default:"8" enum:"1,2,4,8,16" jsonschema:"for temperature; the other quantities need it"`
	Pressure    int `json:"pressure" default:"4" enum:"0,1,2,4,8,16" jsonschema:"for pressure; 0: not measured"`
	Humidity    int `json:"humidity" default:"2" enum:"0,1,2,4,8,16" jsonschema:"for humidity; 0: not measured"`
}

// Heater is the gas sensor's heater. Without it there are no gas values.
type Heater struct {
	Enabled     bool     `json:"enabled" default:"true" jsonschema:"whether gas is measured"`
	Temperature int      `json:"temperature" default:"320" min:"200" max:"400" jsonschema:"°C"`
	Duration    Duration `json:"duration" default:"150ms" min:"1ms" max:"4032ms" jsonschema:"heating time before a measurement"`
}

// Camera is a V4L2 camera.
type Camera struct {
	Device       string `json:"device" default:"/dev/video0" jsonschema:"video device, for example /dev/video0 or /dev/v4l/by-id/…; mock simulates it"`
	Size         Size   `json:"size" default:"1280x720" jsonschema:"WIDTHxHEIGHT; the nearest that the camera offers is used"`
	Format       string `json:"format" default:"auto" enum:"auto,mjpeg,yuyv" jsonschema:"what the camera is asked for; auto: MJPEG when offered"`
	Quality      int    `json:"quality" default:"85" min:"1" max:"100" jsonschema:"JPEG quality of YUYV pictures"`
	WarmUpFrames int    `json:"warm_up_frames" default:"10" min:"0" max:"300" jsonschema:"frames skipped while exposure settles"`
	KeepOpen     bool   `json:"keep_open" default:"false" jsonschema:"whether the camera runs between pictures: faster, warmer"`
}

// The values of Camera.Format.
const (
	FormatAuto  = "auto"
	FormatMJPEG = "mjpeg"
	FormatYUYV  = "yuyv"
)

// Screen is a framebuffer.
type Screen struct {
	Device     string   `json:"device" default:"/dev/fb0" jsonschema:"framebuffer; mock simulates it"`
	ClearAfter Duration `json:"clear_after" default:"10s" min:"0s" max:"24h" jsonschema:"how long a picture stays; 0: until the next"`
	Fit        string   `json:"fit" default:"contain" enum:"contain,cover" jsonschema:"contain: whole picture with bars; cover: whole screen, picture cut"`
	Rotate     int      `json:"rotate" default:"0" enum:"0,90,180,270" jsonschema:"degrees clockwise"`
	Fetch      Fetch    `json:"fetch" jsonschema:"what pictures may be fetched"`
}

// The values of Screen.Fit.
const (
	FitContain = "contain"
	FitCover   = "cover"
)

// Fetch bounds what a screen fetches. Link-local, multicast and unspecified
// addresses are refused whatever the lists say.
type Fetch struct {
	MaxBytes   Bytes    `json:"max_bytes" default:"16MiB" min:"1KiB" max:"256MiB" jsonschema:"largest file"`
	Timeout    Duration `json:"timeout" default:"15s" min:"100ms" max:"10m" jsonschema:"time for a fetch"`
	AllowFiles []string `json:"allow_files" jsonschema:"folders from which file: pictures may come; none: no file: pictures"`
	AllowNets  []string `json:"allow_nets" jsonschema:"networks (CIDR) from which pictures may come; none: all that are not denied"`
	DenyNets   []string `json:"deny_nets" jsonschema:"networks (CIDR) from which no picture may come"`
}

// Flow is a flow between things.
type Flow struct {
	Name    string            `json:"name" jsonschema:"name of the flow; empty: that of the built-in one, or the one in the file"`
	Builtin string            `json:"builtin" enum:"SecurityFlow" jsonschema:"a flow that the program brings along"`
	File    string            `json:"file" jsonschema:"a flow of one's own instead: a file in YAML or of Things Graph's documents, relative to this one"`
	Things  map[string]string `json:"things" jsonschema:"which thing plays which role; of a file's roles, those that it does not give or that are played by another"`
	When    string            `json:"when" default:"detected" enum:"detected,event" jsonschema:"of the built-in flow: detected: messages of the motion sensor that tell of motion start it; event: every one does, its end too, as in the cloud service"`
	Carrier string            `json:"carrier" enum:"auto,broker,local" jsonschema:"broker: each step is an MQTT message; local: within this process; auto: local for the things of this process; empty: broker for the built-in flow, what the file says for others"`
	Shared  string            `json:"shared" jsonschema:"group of processes that share the events, so that one of them handles each; empty: none"`
	Timeout Duration          `json:"timeout" default:"30s" min:"100ms" max:"1h" jsonschema:"time for one step; that of a file, if it says one, holds unless it is given here"`
}

// SecurityFlow is the built-in flow motion → capture → display.
const SecurityFlow = "SecurityFlow"

// The values of Flow.When and Flow.Carrier.
const (
	WhenEvent     = "event"
	WhenDetected  = "detected"
	CarrierAuto   = "auto"
	CarrierBroker = "broker"
	CarrierLocal  = "local"
)

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

// Topic returns the thing's topic for a role of its contract ("motion",
// "capture", …), or "" if it has no such role.
func (t *Thing) Topic(role string) string {
	return strings.ReplaceAll(t.Topics[role], thingPlaceholder, t.Name)
}

// part returns the struct with the keys of the thing's type, or nil.
func (t *Thing) part() any {
	switch {
	case t.Motion != nil:
		return t.Motion
	case t.Environment != nil:
		return t.Environment
	case t.Camera != nil:
		return t.Camera
	case t.Screen != nil:
		return t.Screen
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

// MarshalJSON puts the keys of the thing's type beside its name, as in the file.
func (t Thing) MarshalJSON() ([]byte, error) {
	type common Thing
	b, err := json.Marshal(common(t))
	if err != nil || t.part() == nil {
		return b, err
	}
	p, err := json.Marshal(t.part())
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), p[1:]...), nil
}
