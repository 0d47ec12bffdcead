package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
)

// The parameters of a curve that is spelled out instead of named (RFC 3279 section
// 2.3.5), as "openssl ecparam -param_enc explicit" and some hardware write them.
type curveParameters struct {
	Version int
	Field   struct {
		Kind  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Curve struct {
		A, B []byte
		Seed asn1.BitString `asn1:"optional"`
	}
	Base     []byte
	Order    *big.Int
	Cofactor *big.Int `asn1:"optional"`
}

// oldKey is ECPrivateKey of RFC 5915.
type oldKey struct {
	Version int
	Private []byte
	Curve   curveParameters `asn1:"optional,explicit,tag:0"`
	Public  asn1.BitString  `asn1:"optional,explicit,tag:1"`
}

// wrappedKey is PrivateKeyInfo of RFC 5208.
type wrappedKey struct {
	Version   int
	Algorithm struct {
		Kind  asn1.ObjectIdentifier
		Curve curveParameters
	}
	Private []byte
}

// spelledOut parses a private key on a curve that is spelled out, if the curve is one
// that has a name: the same numbers are the same curve.
func spelledOut(der []byte) (*ecdsa.PrivateKey, bool) {
	var p curveParameters
	var wrapped wrappedKey
	if _, err := asn1.Unmarshal(der, &wrapped); err == nil {
		p, der = wrapped.Algorithm.Curve, wrapped.Private
	}
	var old oldKey
	if _, err := asn1.Unmarshal(der, &old); err != nil {
		return nil, false
	}
	if p.Order == nil {
		p = old.Curve
	}
	curve := p.named()
	if curve == nil {
		return nil, false
	}
	size := (curve.Params().N.BitLen() + 7) / 8
	d := bytes.TrimLeft(old.Private, "\x00")
	if len(d) > size {
		return nil, false
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, append(make([]byte, size-len(d)), d...))
	return key, err == nil
}

// named finds the curve that has exactly these parameters. Anything less would let a
// file choose the point that signatures are made with (CVE-2020-0601).
func (p *curveParameters) named() elliptic.Curve {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k := c.Params()
		size := (k.BitSize + 7) / 8
		number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, size)) }
		a := new(big.Int).Sub(k.P, big.NewInt(3)) // of all three curves
		uncompressed := append(append([]byte{4}, number(k.Gx)...), number(k.Gy)...)
		compressed := append([]byte{2 + byte(k.Gy.Bit(0))}, number(k.Gx)...)
		same := func(b []byte, n *big.Int) bool { return bytes.Equal(bytes.TrimLeft(b, "\x00"), n.Bytes()) }
		if p.Field.Prime != nil && p.Order != nil && p.Field.Prime.Cmp(k.P) == 0 && p.Order.Cmp(k.N) == 0 &&
			same(p.Curve.A, a) && same(p.Curve.B, k.B) && (bytes.Equal(p.Base, uncompressed) || bytes.Equal(p.Base, compressed)) {
			return c
		}
	}
	return nil
}
