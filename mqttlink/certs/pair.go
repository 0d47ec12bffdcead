package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// maxChain bounds the certificates that are sent along.
const maxChain = 10

// ReadPair reads a certificate chain and its private key. Both may stand in one file.
// The chain is put into the order of TLS: the certificate of the key first, then each
// one's issuer.
func ReadPair(certFile, keyFile string) (tls.Certificate, error) {
	pair, errs := CheckPair(certFile, keyFile)
	if len(errs) > 0 {
		return pair, errs[0]
	}
	return pair, nil
}

// CheckPair is ReadPair with all that is wrong: with the certificate, and with the key.
func CheckPair(certFile, keyFile string) (tls.Certificate, []error) {
	var none tls.Certificate
	chain, odd, why, certErr := readChain(certFile)
	keys, keyErr := readKeys(keyFile)
	if certErr != nil || keyErr != nil {
		return none, slices.DeleteFunc([]error{certErr, keyErr}, func(err error) bool { return err == nil })
	}
	for _, k := range keys {
		if i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return belongs(k, c) }); i >= 0 {
			return pair(k, ordered(chain, i)), nil
		}
	}
	if odd > 0 {
		return none, []error{problem(KeyMismatch, why, "copy the certificate again", "private key %s belongs to no certificate in %s that can be read (%v)", keyFile, certFile, why)}
	}
	return none, []error{problem(KeyMismatch, nil, "use the pair that was issued together; the outputs of openssl pkey -in KEY -pubout and openssl x509 -in CERT -pubkey -noout must be the same",
		"private key %s does not belong to certificate %s", keyFile, certFile)}
}

// readChain returns the certificates in a file, and how many of it cannot be used and why.
func readChain(file string) (chain []*x509.Certificate, odd int, why, err error) {
	data, err := readFile(file)
	if err != nil {
		return nil, 0, nil, problem(BadCertificate, err, unreadable(file, err), "certificate %s cannot be read (%s)", file, reason(err))
	}
	list := blocks(data)
	chain, odd, why = certificates(list, nil)
	switch {
	case len(chain) == 0 && odd > 0:
		return nil, odd, why, problem(BadCertificate, why, "copy it again, or have it made again", "certificate %s cannot be used (%v)", file, why)
	case len(chain) == 0:
		what, fix := instead(data, list, file, wantCertificate)
		return nil, odd, why, problem(BadCertificate, errNoCertificate, fix, "certificate %s %s", file, what)
	}
	return chain, odd, why, nil
}

func readKeys(file string) ([]crypto.Signer, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, problem(BadKey, err, unreadable(file, err), "private key %s cannot be read (%s)", file, reason(err))
	}
	return privateKeys(data, file)
}

// unreadable is what to do about a file that cannot be read. A service has a user of its
// own, which may not read a key of root's (mode 0600): systemd hands it a copy
// (systemd.exec(5), LoadCredential=).
func unreadable(file string, err error) string {
	if !errors.Is(err, fs.ErrPermission) {
		return "check the path and its permissions"
	}
	name := filepath.Base(file)
	return fmt.Sprintf("let this user read it; or in a service write LoadCredential=%s:%s under [Service] of the unit (sudo systemctl edit pithings), and in the configuration ${CREDENTIALS_DIRECTORY}/%s", name, file, name)
}

func pair(key crypto.Signer, chain []*x509.Certificate) tls.Certificate {
	t := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		t.Certificate = append(t.Certificate, c.Raw)
	}
	return t
}

// ordered returns the certificate at leaf and then its issuers, as far as the file
// holds them. What is left over is no part of the chain and is not sent.
func ordered(list []*x509.Certificate, leaf int) []*x509.Certificate {
	chain := []*x509.Certificate{list[leaf]}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(list, func(c *x509.Certificate) bool {
			return string(c.RawSubject) == string(last.RawIssuer) && !slices.ContainsFunc(chain, c.Equal) && mayHaveSigned(c, last)
		})
		if i < 0 {
			break
		}
		chain = append(chain, list[i])
	}
	return chain
}

// mayHaveSigned reports whether parent's key made the signature on c, and looks at
// nothing else of parent. A signature that cannot be trusted, as one with SHA-1, counts.
func mayHaveSigned(parent, c *x509.Certificate) bool {
	err := parent.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}
