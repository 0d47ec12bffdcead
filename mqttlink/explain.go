package mqttlink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// about is what an explanation needs to know of an attempt to connect.
type about struct {
	endpoint Endpoint
	clientID string
	timeout  time.Duration
	now      time.Time
	leaf     *x509.Certificate // the client's certificate, if it has one
	certFile string
	ca       string // file or folder of authorities; "" for the system's
	password bool   // a user name is sent
	limits   Limits // for the words in which the broker's policy is written
}

// stageError says how far an attempt had come. The stages are worded so that
// they fit behind "while ".
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return "while " + e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

const (
	stageDial      = "opening the connection"
	stageTLS       = "agreeing on encryption"
	stageWebSocket = "opening the WebSocket"
	stageConnect   = "waiting for the answer to CONNECT"
)

// explainConnect turns the failure of an attempt to connect into a Fault.
func explainConnect(err error, a about) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	stage := stageConnect
	var s *stageError
	if errors.As(err, &s) {
		stage = s.stage
	}
	for _, explain := range []func(error, about, string) *Fault{
		explainRefusal, explainServerCertificate, explainAlert, explainWire, explainNetwork,
	} {
		if f := explain(err, a, stage); f != nil {
			return f
		}
	}
	return fault(Lost, err, "%s: the connection failed while %s (%v); it is tried again", a.endpoint, stage, err)
}

// RefusedError is a CONNACK whose return code is not 0.
type RefusedError struct{ Code byte }

func (e *RefusedError) Error() string { return fmt.Sprintf("CONNACK return code %d", e.Code) }

// explainRefusal explains CONNACK return codes (MQTT 3.1.1 section 3.2.2.3).
func explainRefusal(err error, a about, _ string) *Fault {
	var r *RefusedError
	if !errors.As(err, &r) {
		return nil
	}
	var line string
	switch r.Code {
	case 1:
		line = "it does not speak MQTT 3.1.1 (code 1): use a broker that does"
	case 2:
		line = fmt.Sprintf("it does not accept client id %q (code 2): choose another, of letters, digits, - and _", clip(a.clientID))
	case 3:
		line = "its service is not available just now (code 3): it is tried again; if that does not end, look at the broker's log"
	case 4:
		line = "user name or password is wrong (code 4): check both"
	case 5, 7:
		// AWS IoT Core says 7 where the specification says 5.
		line = fmt.Sprintf("not authorised (code %d): %s may not connect; check %s", r.Code, quoteID(a.clientID), a.credentials())
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
		p = append(p, a.limits.permission(f, true))
	}
	return strings.Join(p, ", ")
}

func quoteID(id string) string { return fmt.Sprintf("client id %q", clip(id)) }

// credentials names what a broker may have judged by.
func (a about) credentials() string {
	switch {
	case a.leaf != nil:
		return "that the certificate is active and that its policy allows this client id"
	case a.password:
		return "user name, password and the broker's access list"
	}
	return "the broker's access list, or give user name and password, or a certificate"
}

// explainServerCertificate explains why the broker's certificate was not taken.
func explainServerCertificate(err error, a about, _ string) *Fault {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return explainValidity("the certificate of "+a.endpoint.Addr(), invalid.Cert, a.now, err)
	case errors.As(err, &invalid):
		return fault(BadTLS, err, "%s: its certificate cannot be used (%v): the broker's operator must replace it", a.endpoint, invalid)
	case errors.As(err, &unknown):
		if a.ca == "" {
			return fault(UnknownCA, err, "%s: its certificate is from an authority this system does not know: give the authority's file as ca", a.endpoint)
		}
		return fault(UnknownCA, err, "%s: its certificate is not from an authority in %s: give the file of the authority that issued it as ca", a.endpoint, a.ca)
	case errors.As(err, &name):
		return fault(WrongName, err, "%s: its certificate is for %s, not for %s: use that name in the endpoint, or set the server name", a.endpoint, certificateNames(name.Certificate), name.Host)
	}
	return nil
}

func certificateNames(c *x509.Certificate) string {
	var names []string
	if c != nil {
		names = append(names, c.DNSNames...)
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 && c.Subject.CommonName != "" {
			names = append(names, c.Subject.CommonName+" (as common name only, which does not count)")
		}
	}
	if len(names) == 0 {
		return "no host at all"
	}
	if len(names) > 4 {
		names = append(names[:4], "…")
	}
	return clip(strings.Join(names, ", "))
}

// explainValidity explains a certificate outside its time, with what the clock
// says, because on a Pi it is as often the clock that is wrong. It returns nil
// for a certificate that is valid at now.
func explainValidity(whose string, c *x509.Certificate, now time.Time, cause error) *Fault {
	const day = "2006-01-02 15:04"
	clock := now.UTC().Format(day)
	switch {
	case c == nil:
		return nil
	case now.Before(c.NotBefore):
		return fault(NotYetValid, cause, "%s is valid from %s UTC, but this machine's clock reads %s UTC: let it get the time (timedatectl), or set it",
			whose, c.NotBefore.UTC().Format(day), clock)
	case now.After(c.NotAfter):
		return fault(Expired, cause, "%s expired on %s UTC (this machine's clock reads %s UTC): renew it, or set the clock if that is wrong",
			whose, c.NotAfter.UTC().Format(day), clock)
	}
	return nil
}

// explainAlert explains a TLS alert. The standard library has no exported type
// for those that come from the other end; their text is stable.
func explainAlert(err error, a about, _ string) *Fault {
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ")
	if !ok {
		return nil
	}
	if f := explainValidity("client certificate "+a.certFile, a.leaf, a.now, err); f != nil {
		return f
	}
	switch {
	case strings.Contains(alert, "certificate required"), strings.Contains(alert, "bad certificate") && a.leaf == nil,
		strings.Contains(alert, "handshake failure") && a.leaf == nil:
		return wantsCertificate(err, a)
	case strings.Contains(alert, "expired certificate"):
		return fault(ClientRefused, err, "%s says that the client certificate %s has expired: renew it, or correct the broker's clock", a.endpoint, a.certFile)
	case strings.Contains(alert, "unknown certificate authority"):
		return fault(ClientRefused, err, "%s does not know the authority of the client certificate %s: use a certificate that its operator issued", a.endpoint, a.certFile)
	case strings.Contains(alert, "certificate"), strings.Contains(alert, "access denied"):
		return fault(ClientRefused, err, "%s does not accept the client certificate %s (TLS alert %q): check that it is the right one, registered and active", a.endpoint, a.certFile, alert)
	case strings.Contains(alert, "no application protocol"):
		return fault(BadTLS, err, "%s does not offer MQTT by this ALPN name: use port 8883, or set the ALPN name that it knows", a.endpoint)
	case strings.Contains(alert, "unrecognized name"):
		return fault(WrongName, err, "%s does not know itself by this name: check the endpoint's host, or set the server name", a.endpoint)
	}
	return fault(BadTLS, err, "%s broke off the encryption (TLS alert %q): look at the broker's log and TLS settings", a.endpoint, alert)
}

func wantsCertificate(err error, a about) *Fault {
	return fault(ClientRefused, err, "%s closes the connection of a client without a certificate: give cert and key", a.endpoint)
}

// explainWire explains what was read that should not have been, or not read.
func explainWire(err error, a about, stage string) *Fault {
	var record tls.RecordHeaderError
	var http *statusError
	var talk *talkError
	switch {
	case errors.As(err, &record):
		return fault(NotMQTT, err, "%s does not speak TLS on this port: use %s for an unencrypted broker, or its TLS port (often 8883)", a.endpoint, plain(a.endpoint))
	case errors.As(err, &http):
		return fault(NotMQTT, err, "%s answers the WebSocket request with HTTP status %d: check the path (often /mqtt) and the port", a.endpoint, http.status)
	case errors.As(err, &talk):
		switch talk.what {
		case "TLS":
			return fault(NotMQTT, err, "%s speaks TLS on this port: use %s", a.endpoint, secure(a.endpoint))
		case "HTTP":
			return fault(NotMQTT, err, "%s is a web server, not a broker: check the port (often 1883 or 8883), or use ws:// or wss://", a.endpoint)
		}
		return fault(NotMQTT, err, "%s does not answer in MQTT (%s): check host and port", a.endpoint, talk.what)
	}
	if !hungUp(err) {
		return nil
	}
	if f := explainValidity("client certificate "+a.certFile, a.leaf, a.now, err); f != nil {
		return f
	}
	switch {
	case stage == stageTLS:
		return fault(BadTLS, err, "%s closed the connection while agreeing on encryption: check that the port is a TLS port and that the broker knows this host name", a.endpoint)
	case stage == stageConnect && a.leaf != nil:
		return fault(ClosedEarly, err, "%s closed the connection without an answer to CONNECT: on AWS IoT Core the certificate is not active or its policy does not allow iot:Connect for %s", a.endpoint, quoteID(a.clientID))
	case stage == stageConnect && a.endpoint.TLS():
		// With TLS 1.3 the handshake is over for us before the broker has looked for a
		// certificate, and its alert is often lost with the connection.
		return wantsCertificate(err, a)
	case stage == stageConnect:
		return fault(ClosedEarly, err, "%s closed the connection without an answer to CONNECT: check that the port is the broker's, and its log for %s", a.endpoint, quoteID(a.clientID))
	}
	return fault(Lost, err, "%s closed the connection while %s: look at the broker's log", a.endpoint, stage)
}

func plain(e Endpoint) string {
	return map[string]string{"mqtts": "mqtt://", "wss": "ws://"}[e.Scheme]
}

func secure(e Endpoint) string {
	return map[string]string{"mqtt": "mqtts://", "ws": "wss://"}[e.Scheme]
}

// explainNetwork explains what stands between us and the broker.
func explainNetwork(err error, a about, stage string) *Fault {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault(NoSuchHost, err, "no host is called %s: check the endpoint's spelling", a.endpoint.Host)
	case errors.As(err, &dns):
		return fault(NoSuchHost, err, "the name %s cannot be looked up: check this machine's network and name server", a.endpoint.Host)
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "actively refused"):
		return fault(Refused, err, "%s: connection refused: no broker listens there; start it, or check host and port", a.endpoint)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fault(Unreachable, err, "%s cannot be reached: check this machine's network and the address", a.endpoint)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault(Timeout, err, "%s gave no answer within %s while %s: check that it runs, and for a firewall between", a.endpoint, a.timeout, stage)
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
	var talk *talkError
	var network net.Error
	switch {
	case errors.As(err, &talk):
		return fault(Protocol, err, "%s: %s; the connection was closed and is opened again", a.endpoint, talk.what)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fault(Timeout, err, "%s took no data for too long; the connection is opened again: check the network", a.endpoint)
	case strings.Contains(err.Error(), "pingresp not received"):
		return fault(Timeout, err, "%s no longer answers; the connection is opened again: check the network", a.endpoint)
	case subscribing != "":
		return fault(Lost, err, "%s closed the connection upon SUBSCRIBE to %s: check that the broker's policy for %s allows it: %s", a.endpoint, clip(subscribing), quoteID(a.clientID), a.permissions(subscribing))
	case lived < 5*time.Second:
		return fault(Lost, err, "%s closed the connection after %s: another client with %s may have taken it over, or the policy forbids a topic", a.endpoint, lived.Round(time.Millisecond), quoteID(a.clientID))
	}
	return fault(Lost, err, "%s: the connection was lost (%s); it is opened again", a.endpoint, Explain(err))
}
