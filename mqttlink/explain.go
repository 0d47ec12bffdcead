package mqttlink

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"pithings/mqttlink/dial"
	"pithings/mqttlink/endpoint"
	"pithings/mqttlink/internal/transport"
	"pithings/mqttlink/wire"
)

// about is what an explanation needs to know of an attempt to connect.
type about struct {
	endpoint endpoint.Endpoint
	clientID string
	timeout  time.Duration
	now      time.Time
	certFile string
	password bool   // a user name is sent
	will     string // topic of the will; "": none
	limits   Limits // for the words in which the broker's policy is written
	hints    Hints

	credentials
}

// connecting is the stage after the connection is open.
const connecting transport.Stage = "waiting for the answer to CONNECT"

// explainConnect turns the failure of an attempt to connect into a Fault.
func explainConnect(err error, a about) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	stage := connecting
	var s *transport.Error
	if errors.As(err, &s) {
		stage = s.Stage
	}
	for _, explain := range []func(error, about, transport.Stage) *Fault{
		explainRefusal, explainServerCertificate, explainAlert, explainVersion, explainWire, explainNetwork,
	} {
		if f := explain(err, a, stage); f != nil {
			return f
		}
	}
	return fault(Lost, err, "%s: the connection failed while %s (%v); it is tried again", a.endpoint, stage, err)
}

// explainRefusal explains CONNACK return codes (MQTT 3.1.1 section 3.2.2.3).
func explainRefusal(err error, a about, _ transport.Stage) *Fault {
	var r *wire.RefusedError
	if !errors.As(err, &r) {
		return nil
	}
	var line string
	switch r.Code {
	case 1:
		line = "it does not speak MQTT 3.1.1 (code 1): use a broker that does"
	case 2:
		line = fmt.Sprintf("it does not accept client id %q (code 2): choose another, of letters, digits, - and _", short(a.clientID))
	case 3:
		line = "its service is not available just now (code 3): it is tried again; if that does not end, look at the broker's log"
	case 4:
		line = "user name or password is wrong (code 4): check both" + a.hints.Login
	case 5, 7:
		// Some brokers return 7 where the specification has 5.
		line = fmt.Sprintf("not authorised (code %d): %s may not connect; check %s", r.Code, quoteID(a.clientID), a.basis()+a.mayLeaveWill())
	default:
		line = fmt.Sprintf("return code %d, which MQTT 3.1.1 does not know: look at the broker's log", r.Code)
	}
	return fault(ConnectRefused, err, "%s refuses the client: %s", a.endpoint, line)
}

// permissions names what must be allowed for filters, joined by commas, to be
// subscribed to.
func (a about) permissions(filters string) string {
	var p []string
	for f := range strings.SplitSeq(filters, ", ") {
		p = append(p, a.limits.permission(f, true)+a.limits.orTooMuch(f, 0))
	}
	return strings.Join(p, ", ")
}

// mayLeaveWill names the will as a reason for a refusal: some brokers look at CONNECT
// whether its topic is allowed.
func (a about) mayLeaveWill() string {
	if a.will == "" {
		return ""
	}
	return fmt.Sprintf(", and that it may leave a will on %s (without one: status: false)", short(a.will))
}

// basis names what a broker may have decided by.
func (a about) basis() string {
	switch {
	case a.leaf != nil:
		return "that the certificate is active and that its policy allows this client id"
	case a.password:
		return "user name, password and the broker's access list" + a.hints.Login
	}
	return "the broker's access list, or give user name and password, or a certificate"
}

// explainWire explains what was read that should not have been, or not read.
func explainWire(err error, a about, stage transport.Stage) *Fault {
	var record tls.RecordHeaderError
	var http *transport.StatusError
	var talk *wire.ProtocolError
	switch {
	case errors.As(err, &record):
		return fault(NotMQTT, err, "%s does not speak TLS on this port: use %s for an unencrypted broker, or its TLS port (often 8883)", a.endpoint, a.endpoint.OtherScheme())
	case errors.Is(err, transport.ErrUpgrade):
		return fault(NotMQTT, err, "%s answers the WebSocket request without end: it is no broker; check host and port", a.endpoint)
	case errors.As(err, &http):
		return fault(NotMQTT, err, "%s answers the WebSocket request with HTTP status %d: check the path (often /mqtt) and the port", a.endpoint, http.Status)
	case errors.As(err, &talk):
		switch talk.What {
		case wire.TLS:
			return fault(NotMQTT, err, "%s speaks TLS on this port: use %s", a.endpoint, a.endpoint.OtherScheme())
		case wire.HTTP:
			return fault(NotMQTT, err, "%s is a web server, not a broker: check the port (often 1883 or 8883), or use ws:// or wss://", a.endpoint)
		}
		return fault(NotMQTT, err, "%s does not answer in MQTT (%s): check host and port", a.endpoint, talk.What)
	}
	if !hungUp(err) {
		return nil
	}
	if f := a.expiredClient(err); f != nil {
		return f
	}
	switch {
	case stage == transport.Encrypting:
		return fault(BadTLS, err, "%s closed the connection while agreeing on encryption: check that the port is a TLS port and that the broker knows this host name%s", a.endpoint, a.orOtherScheme(stage))
	case stage == connecting && a.leaf != nil:
		return fault(ClosedEarly, err, "%s closed the connection without an answer to CONNECT: %s for %s", a.endpoint, cmp.Or(a.hints.NoAnswer, "it does not accept the certificate"), quoteID(a.clientID))
	case stage == connecting && a.password:
		return fault(ClosedEarly, err, "%s closed the connection without an answer to CONNECT: check user name and password%s, whether it wants a certificate, and its log for %s", a.endpoint, a.hints.Login, quoteID(a.clientID))
	case stage == connecting && a.endpoint.TLS() && a.asked():
		// With TLS 1.3 the handshake is over for us before the broker has looked for a
		// certificate, and its alert is often lost with the connection.
		return wantsCertificate(err, a)
	case stage == connecting:
		return fault(ClosedEarly, err, "%s closed the connection without an answer to CONNECT: check that the port is the broker's, and its log for %s%s", a.endpoint, quoteID(a.clientID), a.orOtherScheme(stage))
	}
	return fault(Lost, err, "%s closed the connection while %s: look at the broker's log", a.endpoint, stage)
}

// explainNetwork explains what stands between us and the broker.
func explainNetwork(err error, a about, stage transport.Stage) *Fault {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &dns) && dial.IsLocal(a.endpoint.Host):
		return fault(NoSuchHost, err, "no host on this network answers to the name %s (mDNS): check the spelling, and that it is switched on and on the same network; or write its address", a.endpoint.Host)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault(NoSuchHost, err, "no host is called %s: check the endpoint's spelling", a.endpoint.Host)
	case errors.As(err, &dns):
		return fault(NoSuchHost, err, "the name %s cannot be looked up: check this machine's network and name server", a.endpoint.Host)
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "actively refused"):
		return fault(Refused, err, "%s: connection refused: no broker listens there; start it, or check host and port%s", a.endpoint, a.orOtherScheme(stage))
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fault(Unreachable, err, "%s cannot be reached: check this machine's network and the address", a.endpoint)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault(Timeout, err, "%s gave no answer within %s while %s: check that it runs, and for a firewall between%s", a.endpoint, a.timeout, stage, a.orOtherScheme(stage))
	}
	return nil
}

// explainLost explains the end of an established connection. lived is how long it
// held; subscribing the filters that were being asked for, if any.
func explainLost(err error, a about, lived time.Duration, subscribing string) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	var talk *wire.ProtocolError
	var network net.Error
	switch {
	case errors.As(err, &talk):
		return fault(Protocol, err, "%s: %s; the connection was closed and is opened again", a.endpoint, talk.What)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault(Timeout, err, "%s took no data for too long; the connection is opened again: check the network", a.endpoint)
	case strings.Contains(err.Error(), "pingresp not received"):
		return fault(Timeout, err, "%s no longer answers; the connection is opened again: check the network", a.endpoint)
	case subscribing != "":
		return fault(Lost, err, "%s closed the connection upon SUBSCRIBE to %s: check that the broker's policy for %s allows it: %s", a.endpoint, short(subscribing), quoteID(a.clientID), a.permissions(subscribing))
	case lived < 5*time.Second:
		return fault(Lost, err, "%s closed the connection after %s: another client with %s may have taken it over, or the policy forbids a topic", a.endpoint, lived.Round(time.Millisecond), quoteID(a.clientID))
	}
	return fault(Lost, err, "%s: the connection was lost (%s); it is opened again", a.endpoint, Explain(err))
}
