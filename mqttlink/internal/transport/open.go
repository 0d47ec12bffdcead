// Package transport opens the connection over which MQTT is spoken: TCP, TLS on it, a
// WebSocket on either.
package transport

import (
	"context"
	"crypto/tls"
	"net"

	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/internal/rawconn"
)

// Dialer opens a network connection. It goes straight to the address: proxies
// named in the environment (all_proxy, https_proxy) are not used.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Stage is how far an attempt has come, in words that fit behind "while ".
type Stage string

// The stages.
const (
	Dialing    Stage = "opening the connection"
	Encrypting Stage = "agreeing on encryption"
	Upgrading  Stage = "opening the WebSocket"
)

// Error says at which stage an attempt has failed.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return "while " + string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Open opens the connection over which MQTT is spoken.
func Open(ctx context.Context, open Dialer, e endpoint.Endpoint, c *tls.Config) (net.Conn, error) {
	if e.WebSocket() {
		return dialWebSocket(ctx, open, e, c)
	}
	conn, err := open(ctx, "tcp", e.Addr())
	if err != nil {
		return nil, &Error{Dialing, err}
	}
	conn = rawconn.Wrap(conn)
	if !e.TLS() {
		return conn, nil
	}
	return handshake(ctx, conn, c)
}

func handshake(ctx context.Context, conn net.Conn, c *tls.Config) (net.Conn, error) {
	t := tls.Client(conn, c)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &Error{Encrypting, err}
	}
	return t, nil
}
