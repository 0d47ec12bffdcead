package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16Text(text string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func asJSON(text string) string {
	b, _ := json.Marshal(text) // never fails for a string
	return string(b)
}

// Certificates arrive in files that editors, shells, variables and copying have
// changed. Public reports: istio/istio#56815 (text around), awslabs/aws-c-io#280 (two
// blocks on one line), EdJoPaTo/mqttui#140 (bundles), FreeBSD-ports#756 (encodings).
func TestFormsOfCertificatesAreRead(t *testing.T) {
	one, two := issue(t, "one", nil, authority), issue(t, "two", nil, authority)
	both := pemOf(one, two)
	flat := strings.ReplaceAll(both, "\n", "")
	odd := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	text := strings.TrimSuffix(both, "\n")
	for _, tt := range []struct{ name, text string }{
		{"PEM", both},
		{"UTF-8 byte order mark", "\xef\xbb\xbf" + both},
		{"UTF-16, little endian", utf16Text(both, binary.LittleEndian, true)},
		{"UTF-16, big endian", utf16Text(both, binary.BigEndian, true)},
		{"UTF-16 without a mark", utf16Text(both, binary.LittleEndian, false)},
		{"UTF-16, big endian, without a mark", utf16Text(both, binary.BigEndian, false)},
		{"CRLF", strings.ReplaceAll(both, "\n", "\r\n")},
		{"line breaks of old Macs", strings.ReplaceAll(both, "\n", "\r")},
		{`\n as text`, strings.ReplaceAll(both, "\n", `\n`)},
		{`\r\n as text`, strings.ReplaceAll(both, "\n", `\r\n`)},
		{"a JSON string", asJSON(both)},
		{"indented, as in YAML", "    " + strings.ReplaceAll(text, "\n", "\n    ")},
		{"quoted, as in a mail", "> " + strings.ReplaceAll(text, "\n", "\n> ")},
		{"empty lines between", strings.ReplaceAll(both, "\n", "\n\n")},
		{"everything on one line", strings.ReplaceAll(both, "\n", " ")},
		{"no line break at all", flat},
		{"END and BEGIN on one line", strings.ReplaceAll(both, "-----\n-----", "----------")},
		{"no line break at the end", text},
		{"text around", "subject=CN = one\nissuer: CN = one\n" + both + "\nthe end\n"},
		{"X509 CERTIFICATE", strings.ReplaceAll(both, "CERTIFICATE", "X509 CERTIFICATE")},
		{"no padding", strings.ReplaceAll(both, "=", "")},
		{"DER", string(one.cert.Raw) + string(two.cert.Raw)},
		{"DER with a line break behind", string(one.cert.Raw) + "\n" + string(two.cert.Raw) + "\n"},
		{"with a private key", one.keyPEM(t) + both},
		{"one odd certificate first", odd + both},
		{"one odd certificate between", pemOf(one) + odd + pemOf(two)},
		{"one cut short at the end", both + "-----BEGIN CERTIFICATE-----\nMIIB"},
		{"one cut short between", pemOf(one) + "-----BEGIN CERTIFICATE-----\nMIIB\n" + pemOf(two)},
		{"END of another kind between", pemOf(one) + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERT-----\n" + pemOf(two)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ReadAuthorities(write(t, "ca.pem", tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(a.list) != 2 || !a.list[0].cert.Equal(one.cert) || !a.list[1].cert.Equal(two.cert) {
				t.Fatalf("%d certificates read, want 2", len(a.list))
			}
			if wantOdd := strings.HasPrefix(tt.name, "one ") || strings.HasPrefix(tt.name, "END of"); (a.Odd() != nil) != wantOdd {
				t.Errorf("left out: %v", a.Odd())
			}
		})
	}
}

// What is no certificate is named, with the command that makes one of it.
func TestFilesThatAreNoCertificateAreNamed(t *testing.T) {
	ca := issue(t, "ca", nil, authority)
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("xxxxxxxxxxxx")}))
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(ca.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	pkcs12 := sequence(t, 3, sequence(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}))
	pkcs7 := sequence(t, oidSignedData)
	for _, tt := range []struct {
		name, text string
		words      []string
	}{
		{"nothing", "", []string{"is empty"}},
		{"text", "hello", []string{"holds no certificate (-----BEGIN CERTIFICATE-----)"}},
		{"web page", "<!DOCTYPE html><html>", []string{"a web page", "curl -fO"}},
		{"request", block("CERTIFICATE REQUEST"), []string{"a certificate request", "openssl x509 -req"}},
		{"request of old", block("NEW CERTIFICATE REQUEST"), []string{"a certificate request"}},
		{"request in DER", string(request), []string{"a certificate request"}},
		{"public key", block("PUBLIC KEY"), []string{"a public key"}},
		{"public key in DER", string(public), []string{"a public key"}},
		{"private key", ca.keyPEM(t), []string{"a private key", "must stay where it is"}},
		{"PKCS#12", string(pkcs12), []string{"is a PKCS#12 file", "openssl pkcs12 -in ", "-cacerts -nokeys", "-legacy"}},
		{"PKCS#12 of Windows", "0\x80\x02\x01\x030\x80", []string{"is a PKCS#12 file"}},
		{"PKCS#7", block("PKCS7"), []string{"is a PKCS#7 file", "openssl pkcs7 -print_certs"}},
		{"PKCS#7 in DER", string(pkcs7), []string{"is a PKCS#7 file", "-inform der"}},
		{"Java key store", "\xfe\xed\xfe\xed\x00\x00\x00\x02", []string{"Java key store", "keytool"}},
		{"ZIP", "PK\x03\x04....", []string{"ZIP archive"}},
		{"gzip", "\x1f\x8b\x08", []string{"gunzip"}},
		{"base64 twice", base64.StdEncoding.EncodeToString([]byte(pemOf(ca))), []string{"base64 -d "}},
		{"no BEGIN line", base64.StdEncoding.EncodeToString(ca.cert.Raw), []string{"no BEGIN and END lines", "openssl x509 -inform der"}},
		{"SSH", "ssh-ed25519 AAAA me@here", []string{"public key of SSH"}},
		{"only odd certificates", block("CERTIFICATE"), []string{"holds no certificate that can be read", "as its owner published it"}},
		{"cut short", pemOf(ca)[:200], []string{"it ends in the middle: the END line is missing"}},
		{"damaged", strings.Replace(pemOf(ca), "MII", "M*I", 1), []string{"it is damaged"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "file.crt", tt.text)
			_, err := ReadAuthorities(path)
			wantProblem(t, err, BadAuthority, append(tt.words, path)...)
		})
	}
}

// A command that a message proposes never writes to the file that it reads: the shell
// would empty it first, and the user's only copy is gone.
func TestProposedCommandsSpareTheFileTheyRead(t *testing.T) {
	ca := issue(t, "ca", nil, authority)
	pkcs12 := string(sequence(t, 3, sequence(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})))
	for _, name := range []string{"ca.pem", "ca.key.pem", "ca.ca.pem", "ca.cert.pem", "ca.p12", ".pem"} {
		for _, text := range []string{
			base64.StdEncoding.EncodeToString([]byte(pemOf(ca))), base64.StdEncoding.EncodeToString(ca.cert.Raw), pkcs12,
			string(sequence(t, oidSignedData)), "\xfe\xed\xfe\xed", "PuTTY-User-Key-File-3",
		} {
			path := write(t, name, text)
			for _, w := range []want{wantCertificate, wantAuthority, wantKey} {
				_, fix := instead([]byte(text), blocks([]byte(text)), path, w)
				_, command, _ := strings.Cut(fix, ": ")
				if strings.Count(strings.Join(strings.Fields(command), " ")+" ", path+" ") > 1 {
					t.Errorf("%s", fix)
				}
			}
		}
	}
}

// sequence encodes an ASN.1 SEQUENCE; []byte members are encoded already.
func sequence(t *testing.T, members ...any) []byte {
	t.Helper()
	var body []byte
	for _, m := range members {
		b, ok := m.([]byte)
		if !ok {
			var err error
			if b, err = asn1.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
		body = append(body, b...)
	}
	der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A folder is refused only if nothing in it is good, and says what it left out.
func TestFolderOfAuthorities(t *testing.T) {
	ca := issue(t, "ca", nil, authority)
	good := write(t, "ca.pem", pemOf(ca))
	dir := strings.TrimSuffix(good, "/ca.pem")
	a, err := ReadAuthorities(dir)
	if err != nil || len(a.list) != 1 || a.Odd() != nil || a.list[0].file != good {
		t.Fatalf("%v %v %v", a, err, a.Odd())
	}
	_, err = ReadAuthorities(t.TempDir())
	wantProblem(t, err, BadAuthority, "holds no certificate", "NAME.pem")
	bad := write(t, "ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	_, err = ReadAuthorities(strings.TrimSuffix(bad, "/ca.pem"))
	wantProblem(t, err, BadAuthority, "holds no certificate that can be read", bad)
}

// A certificate that OpenSSL marked as not for servers, or not for clients, is not
// trusted for them. As our own it can be used.
func TestTrustedCertificate(t *testing.T) {
	ca := issue(t, "ca", nil, authority)
	reject := func(oid asn1.ObjectIdentifier) []byte {
		b := sequence(t, oid)
		b[0] = 0xa0 // tag 0 instead of SEQUENCE
		return b
	}
	for _, tt := range []struct {
		name string
		aux  []byte

		ok, clients bool // for servers, for clients
	}{
		{"no uses", nil, true, true},
		{"empty", sequence(t), true, true},
		{"alias only", sequence(t, "my CA"), true, true},
		{"trusted for servers", sequence(t, sequence(t, oidServerAuth)), true, false},
		{"trusted for anything", sequence(t, sequence(t, oidAnyUse)), true, true},
		{"trusted for clients", sequence(t, sequence(t, oidClientAuth)), false, true},
		{"rejected for clients", sequence(t, reject(oidClientAuth)), true, false},
		{"rejected for servers", sequence(t, reject(oidServerAuth)), false, true},
		{"trusted for both, rejected for servers", sequence(t, sequence(t, oidClientAuth, oidServerAuth), reject(oidServerAuth)), false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := string(pem.EncodeToMemory(&pem.Block{Type: kindTrusted, Bytes: append(append([]byte(nil), ca.cert.Raw...), tt.aux...)}))
			file := write(t, "ca.pem", text)
			if _, err := ReadPair(file, write(t, "ca.key", ca.keyPEM(t))); err != nil {
				t.Errorf("as our own: %v", err)
			}
			_, err := ReadClientAuthorities(file)
			if tt.clients && err != nil {
				t.Errorf("for clients: %v", err)
			} else if !tt.clients {
				wantProblem(t, err, BadAuthority, "not trusted for clients", "ca")
			}
			_, err = ReadAuthorities(file)
			if tt.ok && err != nil {
				t.Error(err)
			} else if !tt.ok {
				wantProblem(t, err, BadAuthority, "not trusted for servers", "ca")
			}
		})
	}
}

func TestFormsOfPrivateKeys(t *testing.T) {
	pair := issue(t, "client", nil, nil)
	ec := pair.key.(*ecdsa.PrivateKey)
	old, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	name := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	spelled, spelled8 := spelledKeys(t, ec)
	for _, tt := range []struct{ name, text string }{
		{"PKCS#8", block(kindPKCS8, pkcs8)},
		{"EC", block(kindEC, old)},
		{"under another name", block(kindRSA, old)},
		{"EC PARAMETERS in front", name + block(kindEC, old)},
		{"curve spelled out", block(kindEC, spelled)},
		{"curve spelled out, PKCS#8", block(kindPKCS8, spelled8)},
		{"DER", string(pkcs8)},
		{"DER, EC", string(old)},
		{"DER, curve spelled out", string(spelled8)},
		{"with the certificate", pemOf(pair) + block(kindEC, old)},
		{"behind another key", issue(t, "x", nil, nil).keyPEM(t) + block(kindEC, old)},
		{"UTF-16", utf16Text(block(kindPKCS8, pkcs8), binary.LittleEndian, true)},
		{`\n as text`, strings.ReplaceAll(block(kindPKCS8, pkcs8), "\n", `\n`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadPair(write(t, "c.pem", pemOf(pair)), write(t, "c.key", tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if key := got.PrivateKey.(*ecdsa.PrivateKey); !key.Equal(ec) {
				t.Error("another key was read")
			}
		})
	}
}

// spelledKeys encodes a P-256 key with the parameters of its curve.
func spelledKeys(t *testing.T, key *ecdsa.PrivateKey) (sec1, pkcs8 []byte) {
	t.Helper()
	parameters := spelledCurve(t, nil)
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	tagged, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: parameters})
	if err != nil {
		t.Fatal(err)
	}
	bare := sequence(t, 1, octets(t, d))
	return sequence(t, 1, octets(t, d), tagged),
		sequence(t, 0, sequence(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, parameters), octets(t, bare))
}

func octets(t *testing.T, b []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// spelledCurve encodes the parameters of P-256, with another base point if it is given.
func spelledCurve(t *testing.T, base []byte) []byte {
	t.Helper()
	k := elliptic.P256().Params()
	if base == nil {
		base = append(append([]byte{4}, k.Gx.FillBytes(make([]byte, 32))...), k.Gy.FillBytes(make([]byte, 32))...)
	}
	a := new(big.Int).Sub(k.P, big.NewInt(3))
	prime := asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}
	return sequence(t, 1, sequence(t, prime, k.P), sequence(t, octets(t, a.Bytes()), octets(t, k.B.FillBytes(make([]byte, 32)))), octets(t, base), k.N, 1)
}

// A curve with another base point is another curve (CVE-2020-0601).
func TestSpelledCurveMustBeTheNamedOne(t *testing.T) {
	for _, tt := range []struct {
		name string
		base []byte
		want elliptic.Curve
	}{
		{"P-256", nil, elliptic.P256()},
		{"another base point", append([]byte{4}, make([]byte, 64)...), nil},
	} {
		var p curveParameters
		if _, err := asn1.Unmarshal(spelledCurve(t, tt.base), &p); err != nil {
			t.Fatal(err)
		}
		if got := p.named(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestPrivateKeysThatCannotBeUsed(t *testing.T) {
	pair := issue(t, "client", nil, nil)
	cert := write(t, "c.pem", pemOf(pair))
	block := func(kind, body string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)}))
	}
	ssh := func(kind string) string {
		s := func(b string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) + b }
		return block(kindOpenSSH, "openssh-key-v1\x00"+s("none")+s("none")+s("")+"\x00\x00\x00\x01"+s(s(kind)+s("…")))
	}
	for _, tt := range []struct {
		name, text string
		kind       Kind
		words      []string
	}{
		{"pass phrase", block(kindEncrypted, "x"), BadKey, []string{"pass phrase", "openssl pkey -in "}},
		{"pass phrase of old", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", BadKey, []string{"pass phrase"}},
		{"OpenSSH", ssh("ssh-rsa"), BadKey, []string{"OpenSSH", "ssh-keygen -p -N '' -m pem -f "}},
		{"OpenSSH, Ed25519", ssh("ssh-ed25519"), BadKey, []string{"OpenSSH", "cannot convert", "openssl genpkey"}},
		{"OpenSSH, cut", block(kindOpenSSH, "openssh-key-v1\x00\xff\xff\xff\xff"), BadKey, []string{"OpenSSH"}},
		{"PuTTY", "PuTTY-User-Key-File-3: ssh-rsa\n", BadKey, []string{"PuTTY", "puttygen"}},
		{"public key", block(kindPublic, "x"), BadKey, []string{"a public key"}},
		{"certificate", pemOf(pair), BadKey, []string{"exchanged"}},
		{"damaged", block(kindPKCS8, "xx"), BadKey, []string{"damaged or of an unknown kind"}},
		{"DSA", block("DSA PRIVATE KEY", "xx"), BadKey, []string{"a kind that TLS does not know", "openssl ecparam"}},
		{"of another certificate", issue(t, "other", nil, nil).keyPEM(t), KeyMismatch, []string{"does not belong", cert}},
		{"cut short", pair.keyPEM(t)[:100], BadKey, []string{"END line is missing"}},
		{"nothing", "\n", BadKey, []string{"is empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "c.key", tt.text)
			_, err := ReadPair(cert, path)
			wantProblem(t, err, tt.kind, append(tt.words, path)...)
		})
	}
}

// The chain of a client goes out in the order of TLS, whatever the file's, without what
// is no part of it.
func TestChainIsPutInOrder(t *testing.T) {
	root := issue(t, "root", nil, authority)
	middle := issue(t, "middle", root, authority)
	leaf := issue(t, "leaf", middle, nil)
	stranger := issue(t, "stranger", nil, authority)
	namesake := issue(t, "middle", stranger, authority)
	for _, file := range [][]*issued{
		{leaf, middle, root},
		{root, middle, leaf},
		{middle, root, leaf},
		{namesake, stranger, middle, leaf, root},
	} {
		got, err := ReadPair(write(t, "c.pem", pemOf(file...)), write(t, "c.key", leaf.keyPEM(t)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i, der := range got.Certificate {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 && !c.Equal(middle.cert) {
				t.Error("a certificate of the same name with another key is in the chain")
			}
			names = append(names, c.Subject.CommonName)
		}
		if s := strings.Join(names, " "); s != "leaf middle root" {
			t.Errorf("sent: %s", s)
		}
	}
}
