package mqttlink

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A certificate file is a few kilobytes; the system's bundle a quarter of a
// megabyte. More than this is the wrong file.
const (
	maxPEMFile  = 4 << 20
	maxPEMFiles = 1000 // in a folder of authorities
)

// tlsConfig reads the certificate files as they are now and returns what a
// handshake with the endpoint needs, with the client's certificate if it has one.
// A certificate outside its time is returned all the same: only the other end
// can say whether it refuses it, and our clock may be the wrong one.
func (o *Options) tlsConfig(e Endpoint) (*tls.Config, *x509.Certificate, error) {
	if !e.TLS() {
		return nil, nil, nil
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: e.Host,
		NextProtos: o.alpn(e),
		Time:       o.now,
	}
	if o.ServerName != "" {
		c.ServerName = o.ServerName
	}
	if o.CA != "" {
		pool, err := readAuthorities(o.CA)
		if err != nil {
			return nil, nil, err
		}
		c.RootCAs = pool
	}
	if o.Cert == "" {
		return c, nil, nil
	}
	pair, err := readPair(o.Cert, o.Key)
	if err != nil {
		return nil, nil, err
	}
	// GetClientCertificate, unlike Certificates, sends the certificate even if
	// its authority is not in the server's list: a server that refuses it then
	// says so by an alert, instead of missing a certificate.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return c, pair.Leaf, nil
}

// alpn returns the protocol names offered. AWS IoT Core takes MQTT on port 443 by
// them: one with a client certificate, one with a custom authoriser's user name.
func (o *Options) alpn(e Endpoint) []string {
	switch {
	case len(o.ALPN) > 0:
		return o.ALPN
	case e.Scheme != "mqtts" || e.Port != 443:
		return nil
	case o.Cert != "":
		return []string{"x-amzn-mqtt-ca"}
	case o.Username != "":
		return []string{"mqtt"}
	}
	return nil
}

// CheckCertificates reads the certificate files named in o and says what is wrong
// with them at the given time, validity included. It does not use the network.
func CheckCertificates(o Options, now time.Time) error {
	e, err := ParseEndpoint(o.Endpoint)
	if err != nil {
		return err
	}
	_, leaf, err := o.tlsConfig(e)
	if err != nil {
		return err
	}
	if f := explainValidity("client certificate "+o.Cert, leaf, now, nil); f != nil {
		return f
	}
	return nil
}

// readAuthorities reads a PEM file, or every PEM file of a folder.
func readAuthorities(path string) (*x509.CertPool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault(BadCA, err, "CA %s cannot be read (%s): check the path", path, reason(err))
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filesIn(path); err != nil {
			return nil, fault(BadCA, err, "CA folder %s cannot be read (%s): check its permissions", path, reason(err))
		}
	}
	pool := x509.NewCertPool()
	found := 0
	for _, f := range files {
		data, err := readPEM(f)
		if err != nil {
			return nil, fault(BadCA, err, "CA file %s cannot be read (%s): check the path and its permissions", f, reason(err))
		}
		n := 0
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				if info.IsDir() {
					continue // one odd old root must not shut out the others
				}
				return nil, fault(BadCA, err, "CA file %s holds a certificate that cannot be read (%v): download it again", f, err)
			}
			pool.AddCert(c)
			n++
		}
		if n == 0 && !info.IsDir() {
			return nil, fault(BadCA, nil, "CA file %s holds no PEM certificate (-----BEGIN CERTIFICATE-----): give the authority's file in PEM form", f)
		}
		found += n
	}
	if found == 0 {
		return nil, fault(BadCA, nil, "CA folder %s holds no PEM certificate: put the authority's file there, or name the file", path)
	}
	return pool, nil
}

// filesIn lists the regular files of a folder that may hold certificates.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".pem", ".crt", ".cer", ".ca", ".0":
		default:
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // follows links, as certificate folders need
			continue
		}
		if files = append(files, path); len(files) > maxPEMFiles {
			return nil, fmt.Errorf("more than %d files", maxPEMFiles)
		}
	}
	return files, nil
}

// readPair reads a client's certificate chain and its private key.
func readPair(certFile, keyFile string) (tls.Certificate, error) {
	var none tls.Certificate
	cert, err := readPEM(certFile)
	if err != nil {
		return none, fault(BadCertificate, err, "certificate %s cannot be read (%s): check the path and its permissions", certFile, reason(err))
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return none, fault(BadKey, err, "private key %s cannot be read (%s): check the path and its permissions", keyFile, reason(err))
	}
	if !hasBlock(cert, "CERTIFICATE") {
		return none, fault(BadCertificate, nil, "certificate %s holds no PEM certificate (-----BEGIN CERTIFICATE-----)%s", certFile, swapped(cert, "PRIVATE KEY", "key"))
	}
	if !hasBlock(key, "PRIVATE KEY") {
		return none, fault(BadKey, nil, "private key %s holds no PEM key (-----BEGIN … PRIVATE KEY-----)%s", keyFile, swapped(key, "CERTIFICATE", "certificate"))
	}
	if encrypted(key) {
		return none, fault(BadKey, nil, "private key %s is protected by a pass phrase, which cannot be asked for here: store it without one, readable for this user only", keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return pair, nil
	case strings.Contains(err.Error(), "does not match"):
		return none, fault(KeyMismatch, err, "private key %s does not belong to certificate %s: use the pair that was issued together", keyFile, certFile)
	case strings.Contains(err.Error(), "private key"):
		return none, fault(BadKey, err, "private key %s cannot be used: it is damaged or of an unknown kind; download or make it again", keyFile)
	}
	return none, fault(BadCertificate, err, "certificate %s cannot be used (%v): download it again", certFile, err)
}

// swapped adds a hint if a file holds what belongs in the other setting.
func swapped(data []byte, block, what string) string {
	if hasBlock(data, block) {
		return ": it is a " + what + "; are cert and key exchanged?"
	}
	return ": check that it is the right file"
}

// hasBlock reports whether data has a PEM block whose type ends in kind.
func hasBlock(data []byte, kind string) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
	}
	return false
}

// encrypted reports whether the key needs a pass phrase (PKCS #8 or RFC 1421).
func encrypted(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}

// readPEM reads a file of bounded size, and nothing but a file: a named pipe
// would hold up every attempt to connect.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPEMFile+1))
	if err == nil && len(data) > maxPEMFile {
		err = fmt.Errorf("it is larger than %d bytes", maxPEMFile)
	}
	return data, err
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
