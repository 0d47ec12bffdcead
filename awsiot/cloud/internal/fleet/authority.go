package fleet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Certificates of devices are valid so long, as AWS's are: until 2049-12-31T23:59:59Z.
var forever = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)

// maxCSR is how large a signing request may be, in bytes.
const maxCSR = 8 << 10

// Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority makes an authority with a key of its own, and returns both in PEM.
func NewAuthority(now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "pithings cloud"}, NotBefore: now.Add(-time.Hour), NotAfter: forever,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", pkcs8), err
}

// ReadAuthority reads the certificate and the key of an authority in PEM.
func ReadAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("the authority's certificate is not in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	key, err := readKey(keyPEM)
	if err != nil {
		return nil, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !cert.IsCA:
		return nil, errors.New("the authority's certificate is not one of an authority: give that of a CA")
	case !ok || !public.Equal(cert.PublicKey):
		return nil, errors.New("the authority's key is not that of its certificate")
	}
	return &Authority{cert, key}, nil
}

func readKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the authority's key is not in PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("the authority's key cannot be read: give a private key in PEM without a passphrase")
	}
	return signer, nil
}

// issue makes a certificate for a public key. Its name is the authority's choice: what a
// request names could be another device's.
func (a *Authority) issue(public crypto.PublicKey, now time.Time) (id, certPEM string, err error) {
	serial, err := serialNumber()
	if err != nil {
		return "", "", err
	}
	until := forever
	if a.cert.NotAfter.Before(until) {
		until = a.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: fmt.Sprintf("cloud-%x", serial)},
		NotBefore: now.Add(-2 * time.Minute), NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, public, a.key)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), string(encodePEM("CERTIFICATE", der)), nil
}

// checkCSR reads a signing request.
func checkCSR(text string) (crypto.PublicKey, *Error) {
	bad := func(why string) *Error {
		return &Error{400, InvalidCSR, "The certificate signing request " + why}
	}
	block, _ := pem.Decode([]byte(text))
	if len(text) > maxCSR || block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, bad("is not in PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, bad("cannot be read")
	}
	switch k := csr.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 4096 {
			return nil, bad("has an RSA key with other than 2048 to 4096 bits")
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n != 256 && n != 384 && n != 521 {
			return nil, bad("has a key on another curve than P-256, P-384 and P-521")
		}
	case ed25519.PublicKey:
	default:
		return nil, bad("has a key of an unknown kind")
	}
	if csr.CheckSignature() != nil {
		return nil, bad("is not signed with its key")
	}
	return csr.PublicKey, nil
}

func serialNumber() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
