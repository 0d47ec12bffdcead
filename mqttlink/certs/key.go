package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"strings"
)

// A signer that can be compared with the public key of a certificate.
type equaler interface {
	Equal(crypto.PublicKey) bool
}

// belongs reports whether a private key is that of a certificate.
func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(equaler)
	return ok && public.Equal(c.PublicKey)
}

// maxKeys bounds the keys of one file that are looked at: it takes milliseconds to check
// that an RSA key is one.
const maxKeys = 10

// privateKeys returns the private keys among the blocks of a file. Without one, the
// error says why the file gives none.
func privateKeys(data []byte, path string) ([]crypto.Signer, error) {
	list := blocks(data)
	var good []crypto.Signer
	var first error
	tried := 0
	for _, b := range list {
		if !strings.HasSuffix(b.kind, kindPKCS8) || tried == maxKeys {
			continue // EC PARAMETERS stand in front of a key; certificates may be beside it
		}
		tried++
		key, err := b.privateKey(path)
		if err == nil {
			good = append(good, key)
		} else if first == nil {
			first = err
		}
	}
	switch {
	case len(good) > 0:
		return good, nil
	case first != nil:
		return nil, first
	}
	what, fix := instead(data, list, path, wantKey)
	return nil, problem(BadKey, nil, fix, "private key %s %s", path, what)
}

// privateKey parses one.
func (b block) privateKey(path string) (crypto.Signer, error) {
	switch {
	case b.encrypted || b.kind == kindEncrypted:
		return nil, problem(BadKey, nil, "store it without one, readable for this user only: umask 077; "+oneOfAnother("openssl pkey -in %s -out %s", path, ".plain.key"),
			"private key %s is protected by a pass phrase, which cannot be asked for here", path)
	case b.kind == kindOpenSSH:
		return nil, openSSH(b.der, path)
	case b.err != nil:
		return nil, problem(BadKey, b.err, "copy it again", "private key %s cannot be read (%v)", path, b.err)
	}
	key, err := parseKey(b)
	if err != nil {
		fix := "make it again: openssl ecparam -name prime256v1 -genkey -noout -out " + shell(path)
		if b.kind == kindPKCS8 || b.kind == kindRSA || b.kind == kindEC {
			return nil, problem(BadKey, err, "copy it again, or "+fix, "private key %s cannot be used, because it is damaged or of an unknown kind (%v)", path, err)
		}
		return nil, problem(BadKey, err, fix, "private key %s is of a kind that TLS does not know (%s)", path, clip(b.kind))
	}
	return key, nil
}

// parseKey tries what the type says, and then the other forms: people rename them.
func parseKey(b block) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(b.der)
	if err != nil {
		var other error
		if key, other = parseOldKey(b.der); other != nil {
			if b.kind != kindPKCS8 {
				err = other
			}
			return nil, err
		}
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, errors.New("it is for key agreement, not for signatures")
}

// parseOldKey parses the forms before PKCS #8, and keys on a curve that is spelled out.
func parseOldKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParseECPrivateKey(der)
	if err == nil {
		return key, nil
	}
	if spelled, ok := spelledOut(der); ok {
		return spelled, nil
	}
	return nil, err
}

// openSSH says what to do with a key in the form of ssh-keygen. The text of a key
// begins with this word, then come the names of cipher and key derivation, its
// options, the number of keys, and the public key, which begins with its kind
// (PROTOCOL.key of OpenSSH), each with its length in front.
func openSSH(der []byte, path string) error {
	fix := "ssh-keygen -p -N '' -m pem -f " + shell(path) + " rewrites it"
	if rest, ok := bytes.CutPrefix(der, []byte("openssh-key-v1\x00")); ok {
		_, rest = sshString(rest) // cipher
		_, rest = sshString(rest) // key derivation
		_, rest = sshString(rest) // its options
		if len(rest) > 4 {
			public, _ := sshString(rest[4:])
			// ssh-keygen writes Ed25519 in no other form.
			if kind, _ := sshString(public); string(kind) == "ssh-ed25519" {
				fix = "ssh-keygen cannot convert an Ed25519 key; make another: openssl genpkey -algorithm ed25519 -out KEY.pem, and a certificate for it"
			}
		}
	}
	return problem(BadKey, nil, fix, "private key %s is in the form of OpenSSH, which TLS does not use", path)
}

func sshString(b []byte) (s, rest []byte) {
	if len(b) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil
	}
	return b[4 : 4+n], b[4+n:]
}
