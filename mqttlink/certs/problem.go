package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
)

// Kind names what is wrong, for tests and metrics.
type Kind string

// The kinds of Problem.
const (
	BadAuthority   Kind = "ca"            // the file or folder of authorities
	BadCertificate Kind = "certificate"   // our certificate's file
	BadKey         Kind = "key"           // our private key's file
	KeyMismatch    Kind = "key-mismatch"  // key of another certificate
	Expired        Kind = "expired"       // a certificate is no longer valid
	NotYetValid    Kind = "not-yet-valid" // a certificate is not valid yet, or the clock is slow
	UnknownCA      Kind = "unknown-ca"    // the broker's certificate is from an authority that is not trusted
	WrongName      Kind = "wrong-name"    // the broker's certificate is for another host
	Unfit          Kind = "tls"           // anything else that is wrong with the broker's certificate
)

// Problem is what is wrong with a file or a certificate, in one line.
type Problem struct {
	Kind Kind
	What string // the part, and what is wrong with it
	Fix  string // what to do
	Err  error  // the cause, if there is one
}

func (p *Problem) Error() string {
	if p.Fix == "" {
		return p.What
	}
	return p.What + ": " + p.Fix
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

func problem(kind Kind, cause error, fix, format string, args ...any) *Problem {
	return &Problem{Kind: kind, What: fmt.Sprintf(format, args...), Fix: fix, Err: cause}
}

// reason returns a file error without the operation and path, which the message
// names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// clip makes text from a certificate fit for one line of a log.
func clip(s string) string {
	const most = 80
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
