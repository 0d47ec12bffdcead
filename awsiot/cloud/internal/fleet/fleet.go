package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"time"
)

// Valid is how long a token proves who got a certificate.
const Valid = time.Hour

// The limits of a registration.
const (
	maxParameters = 50   // of a registration
	maxParameter  = 1024 // bytes of one, and of its name
)

// Error is a refusal.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error makes it an error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The codes, which AWS's guide does not list.
const (
	InvalidPayload   = "InvalidPayload"
	InvalidCSR       = "InvalidCertificateSigningRequest"
	InvalidToken     = "InvalidCertificateOwnershipToken"
	InvalidParameter = "InvalidParameters"
	AccessDenied     = "AccessDenied"
	NotFound         = "ResourceNotFound"
	Internal         = "InternalFailure"
)

// Certificate is one that was issued, as it is stored. The token is not in it.
type Certificate struct {
	ID      string `json:"certificateId"`
	Expires int64  `json:"expires"` // the token, in seconds since 1970
	// What the certificate was registered with; empty before that.
	Template   string            `json:"template,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Thing      string            `json:"thingName,omitempty"`
}

// Unclaimed reports whether the certificate was registered never, and cannot be any more.
func (c *Certificate) Unclaimed(now time.Time) bool { return c.Thing == "" && now.Unix() >= c.Expires }

// Issued is the answer to a request for a certificate.
type Issued struct {
	ID    string
	PEM   string
	Key   string // in PEM; "" if the device has it
	Token string
}

// TokenKey is under what a token's certificate is stored: who reads the state has no tokens.
func TokenKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// CreateKeys issues a certificate for a key that it makes.
func (a *Authority) CreateKeys(now time.Time) (*Issued, *Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	i, c, err := a.create(key.Public(), now)
	if err == nil {
		i.Key = string(encodePEM("PRIVATE KEY", pkcs8))
	}
	return i, c, err
}

// CreateFromCSR issues a certificate for the key of a signing request in PEM. An error that
// is no *Error is not the request's.
func (a *Authority) CreateFromCSR(text string, now time.Time) (*Issued, *Certificate, error) {
	public, refused := checkCSR(text)
	if refused != nil {
		return nil, nil, refused
	}
	return a.create(public, now)
}

func (a *Authority) create(public any, now time.Time) (*Issued, *Certificate, error) {
	id, text, err := a.issue(public, now)
	if err != nil {
		return nil, nil, err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return nil, nil, err
	}
	return &Issued{ID: id, PEM: text, Token: hex.EncodeToString(random)}, &Certificate{ID: id, Expires: now.Add(Valid).Unix()}, nil
}

// Register registers a certificate, which is nil for a token that is unknown. A device that
// asks the same again, because no answer has reached it, gets the same again.
func Register(c *Certificate, t *Template, parameters map[string]string, now time.Time) (*Certificate, *Error) {
	switch {
	case c == nil || now.Unix() >= c.Expires:
		return nil, &Error{400, InvalidToken, "The certificate ownership token is unknown or has expired: create a certificate again"}
	case c.Thing != "" && (c.Template != t.Name || !maps.Equal(c.Parameters, parameters)):
		return nil, &Error{400, InvalidToken, "The certificate ownership token has served for another registration"}
	}
	thing, refused := t.apply(parameters)
	if refused != nil {
		return nil, refused
	}
	next := *c
	next.Template, next.Parameters, next.Thing = t.Name, parameters, thing
	return &next, nil
}
