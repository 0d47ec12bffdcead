package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
)

// Types of blocks, as RFC 7468 and OpenSSL write them behind BEGIN.
const (
	kindCertificate = "CERTIFICATE"
	kindRequest     = "CERTIFICATE REQUEST"
	kindTrusted     = "TRUSTED CERTIFICATE" // OpenSSL's, with the uses it is trusted for
	kindPKCS8       = "PRIVATE KEY"
	kindEncrypted   = "ENCRYPTED PRIVATE KEY"
	kindRSA         = "RSA PRIVATE KEY"
	kindEC          = "EC PRIVATE KEY"
	kindOpenSSH     = "OPENSSH PRIVATE KEY"
	kindPublic      = "PUBLIC KEY"
	kindPKCS7       = "PKCS7"
	kindPKCS12      = "PKCS12" // has no PEM form
)

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7}
)

// maxElements bounds the values of a DER file that are looked at.
const maxElements = 1000

// derBlocks reads the values of a DER file. It returns nil for anything else.
func derBlocks(data []byte) []block {
	var list []block
	for len(data) > 0 && data[0] == 0x30 && len(list) < maxElements {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(data, &v)
		if err != nil {
			break
		}
		kind := derKind(v.FullBytes)
		if kind == "" {
			break
		}
		list = append(list, block{kind: kind, der: v.FullBytes})
		data = bytes.TrimLeft(rest, "\r\n")
	}
	return list
}

// derKind returns what a SEQUENCE is, by its first members.
func derKind(der []byte) string {
	m := members(der, 4)
	is := func(i, tag int) bool { return i < len(m) && m[i].Class == asn1.ClassUniversal && m[i].Tag == tag }
	switch {
	case is(0, asn1.TagSequence) && is(1, asn1.TagSequence) && is(2, asn1.TagBitString):
		if _, err := x509.ParseCertificateRequest(der); err == nil {
			return kindRequest
		}
		return kindCertificate
	case is(0, asn1.TagSequence) && is(1, asn1.TagBitString):
		return kindPublic // RFC 5280 section 4.1
	case is(0, asn1.TagSequence) && is(1, asn1.TagOctetString):
		return kindEncrypted // RFC 5208 section 6
	case is(0, asn1.TagInteger) && is(1, asn1.TagInteger):
		return kindRSA // RFC 8017 appendix A.1.2
	case is(0, asn1.TagInteger) && is(1, asn1.TagOctetString):
		return kindEC // RFC 5915
	case is(0, asn1.TagInteger) && is(1, asn1.TagSequence):
		if hasOID(m[1].FullBytes, oidData) {
			return kindPKCS12 // RFC 7292 section 4
		}
		return kindPKCS8 // RFC 5208 section 5
	case is(0, asn1.TagOID) && hasOID(der, oidSignedData):
		return kindPKCS7 // RFC 2315 section 7
	}
	return ""
}

// members returns the first n members of a SEQUENCE.
func members(der []byte, n int) []asn1.RawValue {
	var seq asn1.RawValue
	if _, err := asn1.Unmarshal(der, &seq); err != nil || !seq.IsCompound {
		return nil
	}
	var list []asn1.RawValue
	for rest := seq.Bytes; len(rest) > 0 && len(list) < n; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}

// hasOID reports whether the first member of a SEQUENCE is an identifier that begins
// with prefix.
func hasOID(der []byte, prefix asn1.ObjectIdentifier) bool {
	m := members(der, 1)
	var oid asn1.ObjectIdentifier
	if len(m) == 0 {
		return false
	}
	if _, err := asn1.Unmarshal(m[0].FullBytes, &oid); err != nil || len(oid) < len(prefix) {
		return false
	}
	return oid[:len(prefix)].Equal(prefix)
}
