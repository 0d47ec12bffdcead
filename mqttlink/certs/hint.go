package certs

import (
	"bytes"
	"fmt"
	"strings"
)

// want is what a setting needs.
type want int

const (
	wantCertificate want = iota
	wantAuthority
	wantKey
)

// instead says what a file holds that has nothing of what is wanted, and what to do:
// the text behind "CA file F ".
func instead(data []byte, list []block, path string, w want) (what, fix string) {
	for _, b := range list {
		if what, fix = b.instead(path, w); what != "" {
			return what, fix
		}
	}
	if what, fix = looksLike(data, path, w); what != "" {
		return what, fix
	}
	if w == wantKey {
		return "holds no private key (-----BEGIN PRIVATE KEY-----)", "check that it is the right file"
	}
	return "holds no certificate (-----BEGIN CERTIFICATE-----)", "check that it is the right file"
}

// instead says what a block is that is not what is wanted.
func (b block) instead(path string, w want) (what, fix string) {
	isKey := strings.HasSuffix(b.kind, kindPKCS8)
	switch {
	case b.kind == kindPKCS12:
		return "is a PKCS#12 file", pkcs12(path, w)
	case b.kind == kindPKCS7 || b.kind == "CMS":
		form := ""
		if b.der != nil {
			form = " (for a binary file add -inform der)"
		}
		return "is a PKCS#7 file", convert("openssl pkcs7 -print_certs -in %s -out %s", path, ".pem") + form
	case isCertificate(b.kind) && w != wantKey:
		return "", "" // of which an error has been kept
	case isCertificate(b.kind):
		return "holds a certificate and no private key", "are cert and key exchanged? Give the file with -----BEGIN PRIVATE KEY-----"
	case strings.HasSuffix(b.kind, kindRequest):
		return "holds a certificate request", "give the certificate that the authority made of it: openssl x509 -req -in " + shell(path) + " -CA CA.pem -CAkey CA.key -out CERT.pem"
	case isKey && w == wantAuthority:
		return "holds a private key", "give the authority's certificate (-----BEGIN CERTIFICATE-----); the authority's key must stay where it is"
	case isKey && w == wantCertificate:
		return "holds a private key and no certificate", "are cert and key exchanged? Give the file with -----BEGIN CERTIFICATE-----"
	case b.kind == kindPublic || b.kind == "RSA PUBLIC KEY":
		if w == wantKey {
			return "holds a public key", "give the file with the private key (-----BEGIN PRIVATE KEY-----)"
		}
		return "holds a public key and no certificate", "give the file with -----BEGIN CERTIFICATE-----"
	}
	return "", ""
}

// pkcs12 is the command that takes what is wanted out of a PKCS#12 file.
func pkcs12(path string, w want) string {
	var s string
	switch w {
	case wantKey:
		s = convert("openssl pkcs12 -in %s -nocerts -nodes -out %s", path, ".key.pem")
	case wantAuthority:
		s = convert("openssl pkcs12 -in %s -cacerts -nokeys -out %s", path, ".ca.pem")
	default:
		s = convert("openssl pkcs12 -in %s -nokeys -out %s", path, ".cert.pem")
	}
	return s + " (for an old file add -legacy)"
}

// convert says to make one file of another by a command.
func convert(command, path, extension string) string {
	return "convert it: " + oneOfAnother(command, path, extension)
}

// oneOfAnother writes a command that reads path and writes a file beside it: another
// one, because a shell empties the file that it writes to before the command reads it.
func oneOfAnother(command, path, extension string) string {
	to := trimExtension(path) + extension
	if to == path {
		to = trimExtension(path) + ".new" + extension
	}
	return fmt.Sprintf(command, shell(path), shell(to))
}

func trimExtension(path string) string {
	if i := strings.LastIndexByte(path, '.'); i > strings.LastIndexByte(path, '/')+1 {
		return path[:i]
	}
	return path
}

// shell quotes a path for a shell, if it needs that.
func shell(path string) string {
	if !strings.ContainsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,", r))
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// looksLike knows files without any block by their first bytes.
func looksLike(data []byte, path string, w want) (what, fix string) {
	start := bytes.TrimSpace(data[:min(len(data), 256)])
	is := func(prefix string) bool { return bytes.HasPrefix(start, []byte(prefix)) }
	kind := "x509"
	if w == wantKey {
		kind = "pkey"
	}
	switch {
	case len(data) == 0 || len(bytes.TrimSpace(data)) == 0:
		return "is empty", "copy it again"
	case is("0\x80\x02\x01\x03"): // BER of indefinite length, as Windows exports it
		return "is a PKCS#12 file", pkcs12(path, w)
	case is("\xfe\xed\xfe\xed"), is("\xce\xce\xce\xce"):
		return "is a Java key store", convert("keytool -importkeystore -srckeystore %s -deststoretype pkcs12 -destkeystore %s", path, ".p12") + ", then openssl pkcs12"
	case is("PK\x03\x04"):
		return "is a ZIP archive", "unpack it, and give the file in it"
	case is("\x1f\x8b"):
		return "is compressed with gzip", "unpack it: gunzip < FILE.gz > FILE"
	case is("PuTTY-User-Key-File"):
		return "is a key of PuTTY", convert("puttygen %s -O private-openssh -o %s", path, ".key.pem")
	case is("ssh-"), is("ecdsa-sha2-"):
		return "is a public key of SSH", "give the file in PEM form"
	case is("<"):
		return "is a web page, not a certificate", "download it again, with curl -fO and the address of the file itself"
	case is("LS0tLS1CRUdJTi"): // base64 of -----BEGIN, as Kubernetes keeps it
		return "is encoded with base64 twice", convert("base64 -d %s > %s", path, ".pem")
	case is("MII"):
		return "has no BEGIN and END lines", convert("base64 -d %s | openssl "+kind+" -inform der -out %s", path, ".pem")
	}
	return "", ""
}
