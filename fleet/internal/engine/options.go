package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Options say which devices there are and where they connect to.
type Options struct {
	Devices int
	// Session returns what a device connects with, anew for each attempt.
	Session func(i int) Session
	// Client makes a device; it is called once for each.
	Client func(i int) Client
	// Away reports whether a device stays away until it joins; nil: none. It is called once for each.
	Away func(i int) bool

	// Addresses returns where the broker is; it is called at the start, and again, at most
	// every 30 s, when connections fail.
	Addresses func(ctx context.Context) ([]netip.AddrPort, error)
	// TLS returns what a device's handshake needs; nil: in the clear. One configuration may
	// be shared by devices with one certificate only: a session that is resumed is that of
	// the certificate with which it began.
	TLS func(i int) *tls.Config

	Ramp       float64       // connections opened in a second, at most
	MaxInbound int           // bytes of the largest message for a Client, 128 KiB
	Connect    time.Duration // for connection, handshake, CONNACK and SUBACK together, 15 s
	Ack        time.Duration // for a PUBACK or PINGRESP, 20 s
	Backoff    Backoff
	Seed       uint64 // of the pauses before connections; devices have numbers of their own
	Shards     int    // 0: as many as the processors and devices are worth

	portable bool // a goroutine for each connection, also where there is epoll; for tests
}

// Backoff bounds the random pause before another attempt to connect.
type Backoff struct {
	Min    time.Duration // 1 s: the first bound
	Max    time.Duration // 32 s: the last
	Stable time.Duration // 20 s: a session that has held for so long clears the count of failures
}

// Limits of the engine.
const (
	// MaxDevices is how many devices an engine takes.
	MaxDevices = 100_000
	// Window is how many messages with QoS 1 a device has unacknowledged, at most.
	Window = 20

	maxOpening  = 64        // connections that wait for an answer, of all shards
	maxRest     = 64 << 20  // bytes of unfinished packets, of all shards
	maxUnsent   = 256 << 10 // bytes that wait for the network, of one connection
	step        = 10 * time.Millisecond
	endsWithin  = time.Second // the end waits for PUBACKs that are due
	perShard    = 5000        // devices that are worth one more shard
	refreshTime = 30 * time.Second
	takeover    = time.Second // before a device connects again by itself: the broker has to notice the end first, and AWS IoT Core takes one CONNECT a second
)

func (o *Options) check() error {
	switch {
	case o.Devices < 1 || o.Devices > MaxDevices:
		return fmt.Errorf("%d devices: give a number from 1 to %d", o.Devices, MaxDevices)
	case !(o.Ramp > 0):
		return errors.New("the ramp is no number of connections a second above 0")
	case o.Session == nil || o.Client == nil || o.Addresses == nil:
		return errors.New("sessions, clients and addresses belong to an engine")
	}
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{{&o.Connect, 15 * time.Second}, {&o.Ack, 20 * time.Second}, {&o.Backoff.Min, time.Second}, {&o.Backoff.Max, 32 * time.Second}, {&o.Backoff.Stable, 20 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	if o.MaxInbound <= 0 {
		o.MaxInbound = 128 << 10
	}
	return nil
}
