package things

import (
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"net/url"
	"slices"

	"pithings/camera/store"
	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/pulse"
	"pithings/sensors/modbus"
)

// Kind describes one kind of thing: all that the rest of the house has to know of it.
// Configuration, schema, doctor, flows, gateway, API and documentation read this and
// know no kind by its name.
type Kind struct {
	Name    string // the value of type in a configuration
	Doc     string // what it is, in one line
	Example string // the name that a thing of this kind has in examples
	// Topics are those of its contract, in the order of the documentation.
	Topics []Topic
	// Routine says that its messages are readings, which come again and again: they are
	// not printed in a transcript, where they would hide what happens once.
	Routine bool
	// Web says that its things need the web server: others fetch from it what they announce.
	Web bool
	// Nodes are the device nodes that its parts need. The service's unit allows those of all
	// kinds and no other. Those of a kind whose parts are files of /sys are none.
	Nodes []hw.Nodes
	// New returns its settings, without the defaults in their tags.
	New func() Settings
	// Usual returns the part that most Pis have, with a name for it, which doctor looks at
	// when there is no configuration. Nil: there is no such part.
	Usual func() (part string, s Settings)
	// Discover returns what can be made of the parts that are connected. Nil: nothing can
	// be known of that.
	Discover func(c *probe.Connected) []Candidate
}

// Topic is one topic of a kind's contract.
type Topic struct {
	Role     string // its name in a configuration
	Template string // {thing} stands for the thing's name
	In       bool   // a command to the thing; otherwise the thing publishes to it
	QoS      byte   // of what the thing publishes, or with what it subscribes
	Retain   bool   // the broker keeps the last message
	Alarm    bool   // a message happens once, so that a queue may keep it apart from readings
	Payloads []Payload
}

// Payload is one form of the messages on a topic.
type Payload struct {
	Example string // exact to the byte, but for the values
	Doc     string
}

// Settings are what a configuration says of a thing of one kind. They are a struct whose
// tags package conf reads: keys, defaults, ranges, documentation, and whether a key may be
// changed from afar.
type Settings interface {
	// Part returns the key that says which part the thing uses, and its value. A kind
	// without a part returns "". The tag part of the key says what it names: line, bus,
	// file (a device node), port (a serial one, or a place on the network) or sensor (of
	// the kernel).
	Part() (key, name string)
	// Describe says how a thing with these settings looks on its topics.
	Describe(t Topics) Description
	// Open makes the thing. Its part is opened by Thing.Run.
	Open(o Options, e Env) (Thing, error)
	// Probe looks at the part and reports what is wrong with it.
	Probe(ctx context.Context, p *probe.Prober, part string) []probe.Result
	// Simulate changes the settings for the built-in simulation, where nothing has to
	// warm up.
	Simulate()
}

// Sharer may be implemented by settings whose part serves several things.
type Sharer interface {
	// Shares reports whether the part serves a thing with other settings, too.
	Shares(other Settings) bool
}

// Peered may be implemented by settings that name other things of the same kind.
type Peered interface {
	// Peers returns the key, and the names of those things.
	Peers() (key string, names []string)
}

// Checker may be implemented by settings with relations between keys, which the tags of a
// single one do not show.
type Checker interface {
	// Check reports what is wrong with the value at a path such as heater.duration.
	Check(report func(path, format string, args ...any))
}

// Options are what a configuration says of a thing whatever its kind.
type Options struct {
	Thing  string            // its name
	Topics map[string]string // templates that replace those of the contract, by role
	Extra  Extra
}

// Env is what a thing works with.
type Env struct {
	Board  hw.Board
	Link   mqttlink.Client
	Events *device.Bus // where it reports; nil: nowhere
	Log    *slog.Logger
	Pulse  *pulse.Pulse // of the things' loops; nil: no watchdog
	// Pictures returns where pictures are stored. Nil: nowhere.
	Pictures func() (store.Store, error)
	// Interlocks are shared by the outputs of a process.
	Interlocks *Interlocks
	// Lines are the ports that the Modbus devices of a process share.
	Lines *modbus.Lines
	// OwnPictures reports whether a URL is that of a picture of this process.
	OwnPictures func(*url.URL) bool
	// OwnCertificate is that of the web server of this process, for those URLs; nil if it has none.
	OwnCertificate func() *x509.Certificate
	// Self reports how the program is. Nil: that is not known.
	Self func() Self
	// State returns a folder for what the thing keeps over restarts. Nil: it keeps nothing.
	State func() (dir string, err error)
}

// Self is what a program knows of itself.
type Self struct {
	Version string            `json:"version"`
	Parts   map[string]string `json:"parts"`
	Queued  int               `json:"queued"` // messages that wait for a connection
}

// Description is how a thing looks: to those who check flows and show values, and at the
// broker.
type Description struct {
	Model device.Model
	// Wire is how its messages are written and read.
	Wire Model
}

// Templates returns the usual topics of the kind.
func (k *Kind) Templates() Topics {
	t := make(Topics, len(k.Topics))
	for _, topic := range k.Topics {
		t[topic.Role] = topic.Template
	}
	return t
}

// Describe returns what a thing of this kind looks like with the given settings; changed
// overrides topics by role.
func (k *Kind) Describe(s Settings, changed map[string]string) Description {
	t := k.Templates()
	maps.Copy(t, changed)
	d := s.Describe(t)
	d.Model.ID = k.Name
	for name, e := range d.Model.Events {
		e.Once = slices.ContainsFunc(k.Topics, func(topic Topic) bool { return topic.Alarm && t[topic.Role] == e.Topic })
		d.Model.Events[name] = e
	}
	return d
}

// Usually returns what a thing of this kind looks like with its usual settings and topics.
func (k *Kind) Usually() Description {
	s := k.New()
	conf.Fill(s)
	return k.Describe(s, nil)
}

// Describe returns the description of a thing whose messages are JSON as its model says.
func Describe(m device.Model) Description { return Description{Model: m, Wire: WireOf(m)} }
