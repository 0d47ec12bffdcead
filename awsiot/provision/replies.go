package provision

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"pithings/quietlog"
)

// What AWS IoT answers with (docs.aws.amazon.com, "Device provisioning MQTT API"), and how much of
// it is accepted, in bytes.
const (
	maxReply = 128 << 10 // AWS IoT's limit for any payload
	maxPEM   = 64 << 10  // CertificatePem in AWS's API reference
	maxToken = 8 << 10
)

// created is the answer to both requests for a certificate. The key comes with the one that has it
// made by AWS.
type created struct {
	ID    string `json:"certificateId"`
	PEM   string `json:"certificatePem"`
	Key   string `json:"privateKey"`
	Token string `json:"certificateOwnershipToken"`
}

// registered is the answer to a request for a thing.
type registered struct {
	Thing         string          `json:"thingName"`
	Configuration json.RawMessage `json:"deviceConfiguration"`
}

// errForeign is an answer to another client's request.
var errForeign = errors.New("the certificate is for another key")

// readCreated reads an answer; key is our public key, nil if AWS makes it.
func readCreated(payload []byte, key crypto.PublicKey) (c created, err error) {
	if err := read(payload, &c); err != nil {
		return c, err
	}
	switch {
	case c.Token == "" || len(c.Token) > maxToken:
		return c, errors.New("it has no ownership token, or one that is too long")
	case len(c.ID) > 2*maxName || len(c.PEM) > maxPEM || len(c.Key) > maxPEM:
		return c, errors.New("it is too long")
	}
	cert, err := ParseCert([]byte(c.PEM))
	if err != nil {
		return c, err
	}
	if key == nil {
		own, err := ParseKey([]byte(c.Key))
		if err != nil {
			return c, errors.New("it has no private key that can be read") // no word of the key itself
		}
		key = own.Public()
	}
	if !same(key, cert.PublicKey) {
		return c, errForeign
	}
	return c, nil
}

// ParseCert returns the first certificate of a PEM text.
func ParseCert(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it has no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its certificate: %w", err)
	}
	return cert, nil
}

// same reports whether two public keys are one.
func same(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// readRegistered reads the answer with the thing's name.
func readRegistered(payload []byte) (r registered, err error) {
	if err := read(payload, &r); err != nil {
		return r, err
	}
	if err := CheckName(r.Thing); err != nil {
		return r, fmt.Errorf("thingName: %w", err)
	}
	if bytes.Equal(r.Configuration, []byte("null")) {
		r.Configuration = nil
	}
	if len(r.Configuration) > maxAbout/2 {
		return r, fmt.Errorf("deviceConfiguration has %d bytes, and at most %d are kept", len(r.Configuration), maxAbout/2)
	}
	return r, nil
}

func read(payload []byte, v any) error {
	if len(payload) > maxReply {
		return fmt.Errorf("it has %d bytes, and at most %d are read", len(payload), maxReply)
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("it is no JSON of the documented form (%w)", err)
	}
	return nil
}

// Rejected is a request that AWS IoT has refused.
type Rejected struct {
	What    string // "to make a certificate"
	Status  int
	Code    string
	Message string
	Fix     string
}

func (r *Rejected) Error() string {
	line := "AWS IoT refuses " + r.What
	if r.Message != "" {
		line += ": " + strings.TrimRight(r.Message, ". ")
	}
	return fmt.Sprintf("%s (%s, %d): %s", line, r.Code, r.Status, r.Fix)
}

// token reports whether it is the ownership token that is refused: expired, or used.
func (r *Rejected) token() bool {
	all := strings.ToLower(r.Code + " " + r.Message)
	return r.Status < 500 && strings.Contains(all, "ownership") && strings.Contains(all, "token")
}

// passing reports whether the same request may be accepted a little later.
func (r *Rejected) passing() bool { return r.Status == 429 || r.Status >= 500 }

// readRejected reads a refusal. What cannot be read is one without a code. secrets do not get into
// its message.
func readRejected(what, template string, payload []byte, secrets ...string) *Rejected {
	var body struct {
		Status  json.Number `json:"statusCode"`
		Code    string      `json:"errorCode"`
		Message string      `json:"errorMessage"`
	}
	r := &Rejected{What: what}
	if err := read(payload, &body); err != nil {
		body.Message = "its answer cannot be read"
	}
	if n, err := body.Status.Int64(); err == nil && n >= 0 && n < 1000 {
		r.Status = int(n)
	}
	for _, s := range secrets {
		if s != "" {
			body.Message = strings.ReplaceAll(body.Message, s, "[token]")
			body.Code = strings.ReplaceAll(body.Code, s, "[token]")
		}
	}
	r.Code, r.Message = quietlog.Short(quietlog.OneLine(body.Code)), quietlog.Clip(quietlog.OneLine(body.Message), 300)
	if r.Code == "" {
		r.Code = "no code"
	}
	r.Fix = r.fix(template)
	return r
}

// fix is what to do about it.
func (r *Rejected) fix(template string) string {
	code := strings.ToLower(r.Code)
	switch {
	case r.passing():
		return "run it again later; what is done so far is kept"
	case r.token():
		return "run it again: it begins with a new certificate for the same key"
	case strings.Contains(code, "notfound"):
		return "check that the template " + template + " exists in this account and region: aws iot describe-provisioning-template --template-name " + template
	case strings.Contains(code, "accessdenied"), r.Status == 401, r.Status == 403:
		return "check the pre-provisioning hook of the template, that the template is enabled, and that its role may register things"
	case strings.Contains(code, "parameter"):
		return "give the parameters that the template has: --param NAME=VALUE"
	case strings.Contains(code, "signingrequest"), strings.Contains(code, "csr"):
		return "let AWS make the key instead: --csr=false"
	}
	return "check the template " + template + " and its parameters (--param); AWS's log is in CloudWatch, AWSIotLogsV2"
}
