package mqttlink

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/outbox"
	"pithings/pulse"
)

// Options say where a link goes and how it behaves. Start from DefaultOptions:
// the zero value of CleanSession keeps a session at the broker, and that of
// MaxQueued queues nothing. Every other zero value means its default.
type Options struct {
	Endpoint string // see endpoint.Parse

	// For mqtts and wss. The files are read again at every attempt to connect,
	// so that they can be renewed under a running link.
	CA         string   // file, or folder of *.pem, *.crt, *.cer files; the system's authorities if empty
	Cert, Key  string   // the client's certificate chain and private key, PEM; both or neither
	ServerName string   // name the server's certificate must bear (SNI too), if not the endpoint's host
	ALPN       []string // protocol names offered; none if empty

	Username, Password string
	ClientID           string // made up if empty and CleanSession
	CleanSession       bool

	// Will is what the broker publishes when the connection is lost, Birth what the link
	// publishes at each connect, before all else, and Close what it publishes as Run ends.
	// They are no part of the outbox. Status makes all three: {ClientID}/status, "online"
	// or "offline", retained, QoS 1. See Link.Presence.
	Will, Birth, Close *Message
	Status             bool

	KeepAlive      time.Duration // 30 s; whole seconds, at least 2
	ConnectTimeout time.Duration // 10 s, for name, connection, handshake and CONNACK together
	AckTimeout     time.Duration // 5 s without any PUBACK, or for a SUBACK, ends the session
	WriteTimeout   time.Duration // 5 s for the network to take one packet
	FlushTimeout   time.Duration // 2 s at the end of Run for what is still in the outbox
	Backoff        Backoff

	Window int     // messages sent and not yet acknowledged at a time, 20
	Drain  float64 // messages a second while a backlog is sent; 0: as fast as it is acknowledged
	// LiveFirst sends what is published while there is a connection ahead of what had
	// to wait for it, which goes to HistoryTopic in between: "{topic}" stands for the
	// message's own. Messages with an Expiry keep their topic, and so does the newest retained
	// one of each topic. Otherwise all is sent in the order of Publish.
	LiveFirst    bool
	HistoryTopic string // "{topic}/history"; "{topic}" to make no difference

	MaxQueued int // messages held: -1 without limit, 0 none while there is no connection
	Drop      outbox.Drop
	Outbox    outbox.Box // instead of one in memory with the above limit; Run does not close it

	// PoisonAfter is how many sessions in a row a message must have ended before it
	// becomes a dead letter, so that the others can pass: 3; at least 2, or -1 for never.
	PoisonAfter int
	// KeepDeadLetter, if not nil, is called with each dead letter, to store it. If it fails the
	// link keeps the message in memory (see DeadLetters). It must return soon.
	KeepDeadLetter func(DeadLetter) error

	// Clock reports whether this machine's clock can be trusted; nil: always. Its
	// owner runs it. While it cannot, messages with a time field wait in the
	// outbox, and all behind them; if it reads earlier than the program was built, no
	// encrypted connection is attempted.
	Clock *clock.Clock

	Limits     Limits
	Hints      Hints
	MaxInbound int // largest message handed to a handler, in bytes, 1 MiB; larger ones are dropped and logged

	// Pulse reports whether the link's loops and handlers move; nil: no watchdog.
	Pulse *pulse.Pulse

	Log     *slog.Logger // nil: nothing is logged
	OnState func(State)  // called at each change, in order; must return soon
	// OnSuback is called with the filters of each SUBSCRIBE that the broker has
	// answered, and those of them that it has refused; must return soon.
	OnSuback func(filters, refused []string)

	// Dial opens the network connection below TLS and WebSocket; dial.Dialer's if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	now func() time.Time // time.Now if nil; for certificates only
}

// Hints are words about brokers that give no reason for what they do, for the faults of a
// connection whose broker is not known. They may be empty.
type Hints struct {
	Login    string // behind "user name and password": what checks them there, such as " (at …: …)"
	NoAnswer string // why a client with a certificate gets no answer to CONNECT, before " for CLIENT"
}

// DefaultOptions returns the options to start from.
func DefaultOptions() Options {
	return Options{CleanSession: true, MaxQueued: -1}
}

// Secrets stay out of logs even when a program prints the whole value.
var _ fmt.Stringer = Options{}

// String returns the endpoint and client id.
func (o Options) String() string {
	e, err := endpoint.Parse(o.Endpoint)
	if err != nil {
		return "link without a valid endpoint"
	}
	return fmt.Sprintf("%s as %s", e, o.ClientID)
}
