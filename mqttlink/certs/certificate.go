package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// certificates returns the certificates among blocks, and how many could not be read,
// with the first reason.
// use is what their signatures must be trusted for, if anything.
func certificates(list []block, use asn1.ObjectIdentifier) (good []*x509.Certificate, odd int, why error) {
	for _, b := range list {
		if !isCertificate(b.kind) {
			continue
		}
		c, err := b.certificate(use)
		if err == nil {
			good = append(good, c)
			continue
		}
		if odd++; why == nil {
			why = err
		}
	}
	return good, odd, why
}

func isCertificate(kind string) bool {
	return kind == kindCertificate || kind == kindTrusted || kind == "X509 CERTIFICATE" // SSLeay's word
}

// certificate parses one.
func (b block) certificate(use asn1.ObjectIdentifier) (*x509.Certificate, error) {
	if b.err != nil {
		return nil, b.err
	}
	der := b.der
	var trust []byte
	if b.kind == kindTrusted {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return nil, err
		}
		der, trust = v.FullBytes, rest
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, readable(err)
	}
	if use != nil && distrusted(trust, use) {
		whom := "servers"
		if use.Equal(oidClientAuth) {
			whom = "clients"
		}
		return nil, fmt.Errorf("%s is marked as not trusted for %s (openssl x509 -addreject)", name(c), whom)
	}
	return c, nil
}

var (
	oidServerAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidClientAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidAnyUse     = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
)

// distrusted reports whether what OpenSSL writes behind a TRUSTED CERTIFICATE
// excludes a use. It is X509_CERT_AUX of OpenSSL's crypto/x509/x_x509a.c: a list of
// trusted uses, and one of rejected ones with tag 0.
func distrusted(aux []byte, use asn1.ObjectIdentifier) bool {
	for _, m := range members(aux, 2) {
		rejected := m.Class == asn1.ClassContextSpecific && m.Tag == 0
		trusted := m.Class == asn1.ClassUniversal && m.Tag == asn1.TagSequence
		if !rejected && !trusted {
			continue
		}
		listed := false
		for rest := m.Bytes; len(rest) > 0; {
			var oid asn1.ObjectIdentifier
			var err error
			if rest, err = asn1.Unmarshal(rest, &oid); err != nil {
				break
			}
			listed = listed || oid.Equal(use) || oid.Equal(oidAnyUse)
		}
		if rejected == listed {
			return true
		}
	}
	return false
}

// readable adds what to do to the parser's error.
func readable(err error) error {
	for _, hint := range []struct{ text, fix string }{
		{"elliptic curve", "make the key with a named curve: openssl ecparam -name prime256v1 -genkey -noout"},
		{"ECDSA parameters", "make the key with a named curve: openssl ecparam -name prime256v1 -genkey -noout"},
		{"insecure", "make a longer key: openssl req -newkey rsa:2048"},
		{"serial number", "make it again with openssl x509 -req -set_serial 1"},
	} {
		if strings.Contains(err.Error(), hint.text) {
			return fmt.Errorf("%w; %s", err, hint.fix)
		}
	}
	return err
}

// name is how a certificate is called in messages.
func name(c *x509.Certificate) string { return nameOf(c.Subject.CommonName, c.Subject.String()) }

// issuer is how the issuer of a certificate is called.
func issuer(c *x509.Certificate) string { return nameOf(c.Issuer.CommonName, c.Issuer.String()) }

func nameOf(common, full string) string {
	if common == "" {
		common = full
	}
	return `"` + clip(common) + `"`
}

var errNoCertificate = errors.New("no certificate")
