package mqttlink

import (
	"errors"
	"fmt"

	"pithings/quietlog"
)

// Kind names what went wrong with a connection, for tests and metrics.
type Kind string

// The kinds of Fault.
const (
	BadEndpoint    Kind = "endpoint"       // not an address that can be dialled
	BadOption      Kind = "option"         // another setting makes no sense
	BadCA          Kind = "ca"             // CA file or folder unreadable or empty
	BadCertificate Kind = "certificate"    // client certificate unreadable
	BadKey         Kind = "key"            // private key unreadable
	KeyMismatch    Kind = "key-mismatch"   // key of another certificate
	Expired        Kind = "expired"        // a certificate is no longer valid
	NotYetValid    Kind = "not-yet-valid"  // a certificate is not valid yet, or the clock is slow
	UnknownCA      Kind = "unknown-ca"     // server certificate from an authority that is not trusted
	WrongName      Kind = "wrong-name"     // server certificate for another host
	ClientRefused  Kind = "client-refused" // the server sent a TLS alert about our certificate
	BadTLS         Kind = "tls"            // any other failure of the handshake
	NoSuchHost     Kind = "dns"            // name resolution failed
	Refused        Kind = "refused"        // no program listens on the port
	Unreachable    Kind = "unreachable"    // no route
	Timeout        Kind = "timeout"        // no answer in time
	NotMQTT        Kind = "not-mqtt"       // something else answers on the port
	ConnectRefused Kind = "connack"        // CONNACK with a refusal
	ClosedEarly    Kind = "closed-early"   // closed instead of a CONNACK
	FilterRefused  Kind = "suback"         // SUBACK 0x80
	NoAck          Kind = "no-ack"         // PUBACK or SUBACK did not come in time
	Lost           Kind = "lost"           // an established connection ended
	Protocol       Kind = "protocol"       // the broker broke MQTT's rules
	Poison         Kind = "poison"         // a message ended session after session
	TakenOver      Kind = "client-id"      // another client uses the client id
)

// Fault is a failure in one line that says what to do about it. Unwrap gives the
// cause, where there is one.
type Fault struct {
	Kind Kind
	Line string
	Err  error
}

func (f *Fault) Error() string { return f.Line }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// fault makes a Fault with a formatted line.
func fault(kind Kind, cause error, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Line: quietlog.OneLine(fmt.Sprintf(format, args...)), Err: cause}
}

// kindOf returns the kind of a Fault, or "".
func kindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}

// Explain returns err as the one line to show to a person: a Fault's line, or the
// error's text without line breaks and control characters.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	var f *Fault
	if errors.As(err, &f) {
		return f.Line
	}
	return quietlog.OneLine(err.Error())
}

// short cuts a value to what a line can hold.
func short(s string) string { return quietlog.Short(s) }
