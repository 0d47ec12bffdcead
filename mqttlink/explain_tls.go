package mqttlink

import (
	"errors"
	"strings"

	"pithings/mqttlink/certs"
	"pithings/mqttlink/internal/transport"
)

// ofCertificates turns what package certs reports into a Fault: the kinds are the same.
func ofCertificates(err error) error {
	var p *certs.Problem
	if !errors.As(err, &p) {
		return err
	}
	return ofProblem(p)
}

func ofProblem(p *certs.Problem) *Fault { return fault(Kind(p.Kind), p, "%s", p.Error()) }

// explainServerCertificate explains why the broker's certificate was not taken.
func explainServerCertificate(err error, a about, _ transport.Stage) *Fault {
	s := certs.Server{Address: a.endpoint.Addr(), Authorities: a.authorities, Now: a.now}
	if p := s.Explain(err); p != nil {
		return ofProblem(p)
	}
	return nil
}

// expiredClient explains the client's certificate if it is outside its time.
func (a about) expiredClient(cause error) *Fault {
	if p := certs.Validity("client certificate "+a.certFile, a.leaf, a.now); p != nil {
		p.Err = cause
		return ofProblem(p)
	}
	return nil
}

// explainAlert explains a TLS alert. The standard library has no exported type
// for those that come from the other end; their text is stable.
func explainAlert(err error, a about, _ transport.Stage) *Fault {
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ")
	if !ok {
		return nil
	}
	has := func(words string) bool { return strings.Contains(alert, words) }
	// What is not about certificates at all.
	switch {
	case has("protocol version"):
		return oldTLS(err, a)
	case has("no application protocol"):
		return fault(BadTLS, err, "%s does not offer MQTT by this ALPN name: use port 8883, or set the ALPN name that it knows", a.endpoint)
	case has("unrecognized name"):
		return fault(WrongName, err, "%s does not know itself by this name: check the endpoint's host, or set the server name", a.endpoint)
	case (has("handshake failure") || has("insufficient security")) && !a.asked():
		return fault(BadTLS, err, "%s and pithings have no cipher in common: let the broker offer ECDHE with AES-GCM or ChaCha20 (in mosquitto: leave out ciphers), with a certificate that has an RSA, ECDSA or Ed25519 key", a.endpoint)
	}
	if f := a.expiredClient(err); f != nil {
		return f
	}
	switch {
	case a.leaf == nil && (has("certificate required") || has("bad certificate") || has("handshake failure")):
		return wantsCertificate(err, a)
	case has("expired certificate"):
		return fault(ClientRefused, err, "%s reports that the client certificate %s has expired: renew it, or correct the broker's clock", a.endpoint, a.certFile)
	}
	if doubts := certs.Doubts(a.leaf); doubts != "" {
		return fault(ClientRefused, err, "%s does not accept the client certificate %s (TLS alert %q): %s", a.endpoint, a.certFile, alert, doubts)
	}
	switch {
	case has("unknown certificate authority"):
		return fault(ClientRefused, err, "%s does not know the authority of the client certificate %s: use a certificate that its operator issued, with the intermediate certificates in the same file", a.endpoint, a.certFile)
	case has("certificate"), has("access denied"):
		return fault(ClientRefused, err, "%s does not accept the client certificate %s (TLS alert %q): check that it is the right one, registered and active", a.endpoint, a.certFile, alert)
	}
	return fault(BadTLS, err, "%s broke off the encryption (TLS alert %q): look at the broker's log and TLS settings", a.endpoint, alert)
}

// explainVersion explains a server that answers with an old version of TLS; the
// standard library has no type for this error either.
func explainVersion(err error, a about, _ transport.Stage) *Fault {
	if strings.Contains(err.Error(), "tls: server selected unsupported protocol version") {
		return oldTLS(err, a)
	}
	return nil
}

func oldTLS(err error, a about) *Fault {
	return fault(BadTLS, err, "%s speaks only versions of TLS before 1.2, which are not safe: update the broker, or allow TLS 1.2 there (in mosquitto: tls_version tlsv1.2)", a.endpoint)
}

func wantsCertificate(err error, a about) *Fault {
	return fault(ClientRefused, err, "%s closes the connection of a client without a certificate: give cert and key, or username and password%s", a.endpoint, a.hints.Login)
}

// orOtherScheme ends a message about an endpoint that does not answer as it should.
// HOST alone was taken for mqtts://HOST:8883, and brokers at home often do not encrypt;
// a port that was reached, but closes the connection or sends nothing, may want encryption. Clear text
// is not offered to a client that has a certificate.
func (a about) orOtherScheme(stage transport.Stage) string {
	switch {
	case a.endpoint.TLS() && a.leaf == nil && stage == transport.Dialing:
		return "; if the broker does not encrypt, write " + a.endpoint.OtherPort().String()
	case a.endpoint.TLS() && a.leaf == nil && stage == transport.Encrypting:
		return "; if the broker does not encrypt, write " + a.endpoint.OtherScheme().String()
	case !a.endpoint.TLS() && (stage == connecting || stage == transport.Upgrading):
		return "; if this port is encrypted, write " + a.endpoint.OtherScheme().String()
	}
	return ""
}
