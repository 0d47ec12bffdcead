package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pithings/mqttlink/certs"
)

// A trusted user has a claim made that lives for five minutes, by an app or by
//
//	aws iot create-provisioning-claim --template-name NAME
//
// whose output is a document with certificate and key in it (API reference,
// CreateProvisioningClaim). With it the flow is that of a claim certificate.

// MaxClaim is the largest such document that is read, in bytes.
const MaxClaim = 256 << 10

// claimCert and claimKey are its parts, in the folder of the identity that is being made.
const (
	claimCert = "claim.crt"
	claimKey  = "claim.key"
)

// claim is the document.
type claim struct {
	PEM  string `json:"certificatePem"`
	Pair struct {
		Private string `json:"PrivateKey"`
	} `json:"keyPair"`
	Until expiration `json:"expiration"`
}

// expiration is a time as the API writes it, seconds since 1970, or as the command does, a text.
type expiration struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (e *expiration) UnmarshalJSON(b []byte) error {
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		const year9999 = 253402300799
		if seconds < 0 || seconds > year9999 {
			return errors.New("expiration is no time")
		}
		e.Time = time.Unix(int64(seconds), 0)
		return nil
	}
	return json.Unmarshal(b, &e.Time)
}

// readClaim reads the document. Its errors have nothing of the text.
func readClaim(data []byte) (c claim, err error) {
	if len(data) > MaxClaim {
		return c, fmt.Errorf("the claim has %d bytes, and at most %d are read", len(data), MaxClaim)
	}
	if json.Unmarshal(data, &c) != nil {
		return c, errors.New("the claim is not the output of aws iot create-provisioning-claim, in JSON (--output json)")
	}
	if c.PEM == "" || c.Pair.Private == "" {
		return c, errors.New("the claim has no certificatePem, or no keyPair.PrivateKey: give the whole output of aws iot create-provisioning-claim")
	}
	return c, nil
}

// TakeClaim takes the certificate and the key out of a trusted user's claim, and returns the files
// that they are in, which are erased with the claim.
func (p *Provisioner) TakeClaim(data []byte) (cert, key string, err error) {
	c, err := readClaim(data)
	if err != nil {
		return "", "", err
	}
	if now := p.now(); !c.Until.IsZero() && now.After(c.Until.Time) {
		return "", "", fmt.Errorf("the claim was good until %s, and it is %s: have another one made; a trusted user's lives for five minutes",
			c.Until.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	cert, key = p.path(claimCert), p.path(claimKey)
	for _, one := range []struct{ name, text string }{{key, c.Pair.Private}, {cert, c.PEM}} {
		if err := p.disk.Replace(one.name, []byte(one.text)); err != nil {
			return "", "", err
		}
	}
	if _, err := certs.ReadPair(cert, key); err != nil {
		return "", "", errors.Join(fmt.Errorf("the claim: %w", err), p.disk.Erase(key), p.disk.Erase(cert))
	}
	return cert, key, nil
}
