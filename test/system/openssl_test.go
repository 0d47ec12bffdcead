//go:build system

package system

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/test/binary"
)

// certificatesScript makes the authorities and has the functions with which rows make
// their certificates, all by openssl as tutorials do.
const certificatesScript = `
set -eu
touch index.txt
[ -f serial ] || echo 1000 >serial
cat >ca.cnf <<END
[ca]
default_ca = c
[c]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
unique_subject = no
email_in_dn = no
[p]
commonName = optional
END

# key NAME: P-256
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# root NAME CN [ca arguments]: an authority that signs itself; EXT are its extensions
root() {
	n=$1 cn=$2; shift 2
	[ -f "$n.key" ] || key "$n"
	printf '%b' "${EXT-basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n}" >"$n.ext"
	openssl req -new -key "$n.key" -subj "/CN=$cn" -out "$n.csr"
	[ $# -gt 0 ] || set -- -days 30
	openssl ca -batch -config ca.cnf -selfsign -notext -in "$n.csr" -keyfile "$n.key" -extfile "$n.ext" -out "$n.pem" "$@"
}

# sign NAME ISSUER CN EXTENSIONS [ca arguments]
sign() {
	n=$1 by=$2 cn=$3 ext=$4; shift 4
	[ -f "$n.key" ] || key "$n"
	printf '%b' "$ext" >"$n.ext"
	openssl req -new -key "$n.key" -subj "/CN=$cn" -out "$n.csr"
	case " $* " in *date*) ;; *) set -- -days 30 "$@" ;; esac
	openssl ca -batch -config ca.cnf -notext -in "$n.csr" -cert "$by.pem" -keyfile "$by.key" -extfile "$n.ext" -out "$n.pem" "$@"
}
past="-startdate 20200101000000Z -enddate 20210101000000Z"
`

// certificatesCommon is what most rows use.
const certificatesCommon = certificatesScript + `
root root "Root"
root other "Other"
sign middle root "Middle" "basicConstraints=critical,CA:TRUE\n"
sign server root "broker" "subjectAltName=DNS:broker.example,IP:127.0.0.1\n"
sign below middle "broker" "subjectAltName=DNS:broker.example\n"
sign client root "client" "extendedKeyUsage=clientAuth\n"
`

// pairing is one row of the table: what openssl s_client and pithings say of a server
// and of files.
type pairing struct {
	name   string
	make   string // with what is made already
	server string // arguments of s_server; "" for the usual certificate
	ca     string // of the client; root.pem if empty
	cert   string // cert and key of the client: NAME or FILE,FILE
	host   string // broker.example if empty
	raw    string // instead of s_server: what a server without TLS sends

	openssl string // "ok", or words of its verdict
	kind    mqttlink.Kind
	words   []string // of ours; nil: taken
}

const (
	weak   = " -cipher DEFAULT@SECLEVEL=0"
	mutual = " -Verify 2 -verify_return_error -CAfile root.pem"
)

var certificatePairs = []pairing{
	// Forms of the user's authorities.
	{name: "PEM", openssl: "ok"},
	{name: "UTF-8 byte order mark", make: `(printf '\357\273\277'; cat root.pem) >ca.pem`, ca: "ca.pem", openssl: "ok"},
	{name: "CRLF", make: `sed 's/$/\r/' root.pem >ca.pem`, ca: "ca.pem", openssl: "ok"},
	{name: "text in front", make: `openssl x509 -in root.pem -text >ca.pem`, ca: "ca.pem", openssl: "ok"},
	{name: "no line break at the end", make: `head -c -1 root.pem >ca.pem`, ca: "ca.pem", openssl: "ok"},
	{name: "trusted certificate", make: `openssl x509 -in root.pem -addtrust serverAuth -trustout -out ca.pem`, ca: "ca.pem", openssl: "ok"},
	{name: "trusted certificate, not for servers", make: `openssl x509 -in root.pem -addreject serverAuth -trustout -out ca.pem`, ca: "ca.pem",
		openssl: "certificate rejected", kind: mqttlink.BadCA, words: []string{"marked as not trusted for servers"}},
	{name: "UTF-16", make: `iconv -t UTF-16 root.pem >ca.pem`, ca: "ca.pem", openssl: "no certificate or crl found"},
	{name: `\n as text`, make: `awk '{printf "%s\\n", $0}' root.pem >ca.pem`, ca: "ca.pem", openssl: "no certificate or crl found"},
	{name: "everything on one line", make: `tr '\n' ' ' <root.pem >ca.pem`, ca: "ca.pem", openssl: "no certificate or crl found"},
	{name: "END and BEGIN on one line", make: `(head -c -1 other.pem; cat root.pem) >ca.pem`, ca: "ca.pem", openssl: "bad end line"},
	{name: "indented", make: `sed 's/^/  /' root.pem >ca.pem`, ca: "ca.pem", openssl: "no certificate or crl found"},
	{name: "DER", make: `openssl x509 -in root.pem -outform der -out ca.pem`, ca: "ca.pem", openssl: "no certificate or crl found"},
	{name: "PKCS#12", make: `openssl pkcs12 -export -passout pass: -nokeys -in root.pem -out ca.p12`, ca: "ca.p12",
		openssl: "no certificate or crl found", kind: mqttlink.BadCA, words: []string{"is a PKCS#12 file", "openssl pkcs12 -in "}},
	{name: "PKCS#7", make: `openssl crl2pkcs7 -nocrl -certfile root.pem -out ca.p7b`, ca: "ca.p7b",
		openssl: "no certificate or crl found", kind: mqttlink.BadCA, words: []string{"is a PKCS#7 file", "openssl pkcs7 -print_certs"}},
	{name: "certificate request", ca: "root.csr", openssl: "no certificate or crl found", kind: mqttlink.BadCA, words: []string{"a certificate request"}},
	{name: "key instead of a certificate", ca: "root.key", openssl: "no certificate or crl found", kind: mqttlink.BadCA, words: []string{"a private key"}},
	{name: "one odd certificate in a bundle", make: `(printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'; cat root.pem) >ca.pem`, ca: "ca.pem", openssl: "asn1"},
	{name: "one cut short in a bundle", make: `(head -3 other.pem; cat root.pem) >ca.pem`, ca: "ca.pem", openssl: "asn1"},

	// Chains.
	{name: "intermediate sent", server: "-cert below.pem -cert_chain middle.pem -key below.key", openssl: "ok"},
	{name: "intermediate missing", server: "-cert below.pem -key below.key", openssl: "unable to get local issuer certificate|unable to verify the first certificate",
		kind: mqttlink.UnknownCA, words: []string{`issued by "Middle", whose certificate the server does not send`, "append it"}},
	{name: "intermediate in the CA file", make: `cat root.pem middle.pem >ca.pem`, server: "-cert below.pem -key below.key", ca: "ca.pem", openssl: "ok"},
	{name: "only the intermediate in the CA file", server: "-cert below.pem -key below.key", ca: "middle.pem", openssl: "unable to get issuer certificate"}, // openssl's -partial_chain
	{name: "chain in the wrong order", make: `cat other.pem root.pem middle.pem >wrong.pem`, server: "-cert below.pem -cert_chain wrong.pem -key below.key", openssl: "ok"},
	{name: "another authority", ca: "other.pem", openssl: "unable to get local issuer certificate|unable to verify",
		kind: mqttlink.UnknownCA, words: []string{`(which holds "Other")`, `issued by "Root"`}},
	{name: "the authority was made anew", make: `rm -f anew.key; root anew Root`, ca: "anew.pem", openssl: "unable to get local issuer certificate|certificate signature failure|unable to verify",
		kind: mqttlink.UnknownCA, words: []string{"another authority of the same name", "has another key"}},
	{name: "self-signed", make: `openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -subj /CN=broker.example -addext subjectAltName=DNS:broker.example`,
		server: "-cert self.pem -key self.key", openssl: "self.signed certificate", kind: mqttlink.UnknownCA, words: []string{"signed by itself", "openssl s_client -connect"}},
	{name: "self-signed and named as ca", make: `openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -subj /CN=broker.example -addext subjectAltName=DNS:broker.example`,
		server: "-cert self.pem -key self.key", ca: "self.pem", openssl: "ok"},
	{name: "the same name as the authority", make: `sign same root Root "subjectAltName=DNS:broker.example\n"`, server: "-cert same.pem -key same.key", openssl: "ok"},
	{name: "no CA flag", make: `EXT="basicConstraints=CA:FALSE\n" root noca NoCA; sign under noca broker "subjectAltName=DNS:broker.example\n"`,
		server: "-cert under.pem -key under.key", ca: "noca.pem", openssl: "invalid CA certificate",
		kind: mqttlink.BadTLS, words: []string{`"NoCA" in `, "basicConstraints=critical,CA:TRUE"}},
	{name: "authority of a client program only", make: `sign eku root broker "subjectAltName=DNS:broker.example\nextendedKeyUsage=clientAuth\n"`,
		server: "-cert eku.pem -key eku.key", openssl: "unsuitable certificate purpose", kind: mqttlink.BadTLS, words: []string{"extendedKeyUsage=serverAuth"}},
	{name: "negative serial number", make: `key neg; openssl req -new -key neg.key -subj /CN=broker -out neg.csr; printf subjectAltName=DNS:broker.example >neg.ext;
		openssl x509 -req -in neg.csr -CA root.pem -CAkey root.key -set_serial -5 -days 30 -extfile neg.ext -out neg.pem`, server: "-cert neg.pem -key neg.key", openssl: "ok"},

	// Names.
	{name: "address", host: "127.0.0.1", openssl: "ok"},
	{name: "common name only", make: `sign cn root broker.example ""`, server: "-cert cn.pem -key cn.key", openssl: "ok", // openssl still takes it
		kind: mqttlink.WrongName, words: []string{"only as common name (broker.example)", `-addext "subjectAltName=DNS:broker.example"`}},
	{name: "address as common name", make: `sign cnip root 127.0.0.1 ""`, server: "-cert cnip.pem -key cnip.key", host: "127.0.0.1", openssl: "IP address mismatch",
		kind: mqttlink.WrongName, words: []string{`-addext "subjectAltName=IP:127.0.0.1"`}},
	{name: "address as DNS name", make: `sign dnsip root broker "subjectAltName=DNS:127.0.0.1\n"`, server: "-cert dnsip.pem -key dnsip.key", host: "127.0.0.1", openssl: "IP address mismatch",
		kind: mqttlink.WrongName, words: []string{"as a DNS name", `-addext "subjectAltName=IP:127.0.0.1"`}},
	{name: "another host", host: "other.example", openssl: "hostname mismatch", kind: mqttlink.WrongName, words: []string{"is for broker.example, 127.0.0.1, not for other.example"}},

	// Times.
	{name: "certificate expired", make: `sign old root broker "subjectAltName=DNS:broker.example\n" $past`, server: "-cert old.pem -key old.key",
		openssl: "certificate has expired", kind: mqttlink.Expired, words: []string{"the certificate of broker.example:8883 expired on 2021-01-01"}},
	{name: "the user's authority expired", make: `root oldroot "Old Root" $past; sign underold oldroot broker "subjectAltName=DNS:broker.example\n"`,
		server: "-cert underold.pem -key underold.key", ca: "oldroot.pem", openssl: "certificate has expired",
		kind: mqttlink.Expired, words: []string{`the authority "Old Root" in `, "oldroot.pem", "expired on 2021-01-01"}},
	{name: "intermediate expired", make: `sign oldmid root "Old Middle" "basicConstraints=critical,CA:TRUE\n" $past; sign undermid oldmid broker "subjectAltName=DNS:broker.example\n"`,
		server: "-cert undermid.pem -cert_chain oldmid.pem -key undermid.key", openssl: "certificate has expired",
		kind: mqttlink.Expired, words: []string{`the authority "Old Middle", which broker.example:8883 sends along`}},
	{name: "not yet valid", make: `sign soon root broker "subjectAltName=DNS:broker.example\n" -startdate 20490101000000Z -enddate 20491231000000Z`, server: "-cert soon.pem -key soon.key",
		openssl: "certificate is not yet valid", kind: mqttlink.NotYetValid, words: []string{"is valid from 2049-01-01", "timedatectl"}},

	// Strength and versions.
	{name: "SHA-1", make: `sign sha1 root broker "subjectAltName=DNS:broker.example\n" -md sha1`, server: "-cert sha1.pem -key sha1.key" + weak,
		openssl: "too weak", kind: mqttlink.BadTLS, words: []string{"ECDSA-SHA1", "-sha256"}},
	{name: "RSA of 1024 bits", make: `openssl genrsa -out short.key 1024; sign short root broker "subjectAltName=DNS:broker.example\n"`, server: "-cert short.pem -key short.key" + weak,
		openssl: "too weak"}, // Debian's policy; Go's is 1024
	{name: "RSA of 512 bits", make: `openssl genrsa -out tiny.key 512; sign tiny root broker "subjectAltName=DNS:broker.example\n"`, server: "-cert tiny.pem -key tiny.key -tls1_2" + weak,
		openssl: "too weak", kind: mqttlink.BadTLS, words: []string{"512-bit keys are insecure", "-newkey rsa:2048"}},
	{name: "Ed25519", make: `openssl genpkey -algorithm ed25519 -out ed.key; sign ed root broker "subjectAltName=DNS:broker.example\n"`, server: "-cert ed.pem -key ed.key", openssl: "ok"},
	{name: "TLS 1.0 only", server: "-cert server.pem -key server.key -tls1" + weak, openssl: "legacy sigalg disallowed|unsupported protocol",
		kind: mqttlink.BadTLS, words: []string{"before 1.2", "tls_version tlsv1.2"}},
	{name: "no common cipher", make: `openssl genrsa -out rsa.key 2048; sign rsa root broker "subjectAltName=DNS:broker.example\n"`, server: "-cert rsa.pem -key rsa.key -tls1_2 -cipher AES256-CCM8",
		openssl: "handshake failure", kind: mqttlink.BadTLS, words: []string{"no cipher in common", "ECDHE"}},
	{name: "key exchange without forward secrecy", make: `openssl genrsa -out rsa.key 2048; sign rsa root broker "subjectAltName=DNS:broker.example\n"`, server: "-cert rsa.pem -key rsa.key -tls1_2 -cipher AES128-SHA",
		openssl: "ok", kind: mqttlink.BadTLS, words: []string{"no cipher in common", "ECDHE"}}, // Go offers it no longer
	{name: "no TLS", raw: "220 mail.example ESMTP\r\n", openssl: "wrong version number|packet length too long", kind: mqttlink.NotMQTT, words: []string{"does not speak TLS", "mqtt://broker.example:8883"}},

	// Our own certificate.
	{name: "client certificate", server: "-cert server.pem -key server.key" + mutual, cert: "client", openssl: "ok"},
	{name: "client certificate missing", server: "-cert server.pem -key server.key" + mutual, openssl: "certificate required",
		kind: mqttlink.ClientRefused, words: []string{"give cert and key"}},
	{name: "client certificate missing, TLS 1.2", server: "-cert server.pem -key server.key -tls1_2" + mutual, openssl: "handshake failure",
		kind: mqttlink.ClientRefused, words: []string{"give cert and key"}},
	{name: "client certificate of another authority", make: `sign stranger other client ""`, server: "-cert server.pem -key server.key" + mutual, cert: "stranger",
		openssl: "unknown ca", kind: mqttlink.ClientRefused, words: []string{"does not know the authority", "stranger.pem"}},
	{name: "client certificate expired", make: `sign late root client "" $past`, server: "-cert server.pem -key server.key" + mutual, cert: "late",
		openssl: "certificate expired", kind: mqttlink.Expired, words: []string{"client certificate", "late.pem", "expired on 2021-01-01"}},
	{name: "client certificate only for servers", make: `sign srv root client "extendedKeyUsage=serverAuth\n"`, server: "-cert server.pem -key server.key" + mutual, cert: "srv",
		openssl: "unsupported certificate", kind: mqttlink.ClientRefused, words: []string{"extendedKeyUsage=clientAuth"}},
	{name: "client certificate with a short key", make: `openssl genrsa -out weak.key 1024; sign weak root client ""`, server: "-cert server.pem -key server.key" + mutual, cert: "weak",
		openssl: "too small|too weak|bad certificate", kind: mqttlink.ClientRefused, words: []string{"its RSA key is short", "-newkey rsa:2048"}},
	{name: "client chain in the wrong order", make: `sign deep middle client ""; cat root.pem middle.pem deep.pem >deepwrong.pem`, server: "-cert server.pem -key server.key" + mutual,
		cert: "deepwrong.pem,deep.key", openssl: "key values mismatch"},
	{name: "client certificate in DER", make: `openssl x509 -in client.pem -outform der -out client.der`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.der,client.key", openssl: "ok"},
	{name: "key and certificate in one file", make: `cat client.key client.pem >both.pem`, server: "-cert server.pem -key server.key" + mutual, cert: "both.pem,both.pem", openssl: "ok"},
	{name: "EC PARAMETERS in front of the key", make: `(openssl ecparam -name prime256v1; cat client.key) >params.key`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.pem,params.key", openssl: "ok"},
	{name: "key with the curve spelled out", make: `openssl ec -in client.key -param_enc explicit -out explicit.key`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.pem,explicit.key", openssl: "ok"},
	{name: "certificate with the curve spelled out", make: `openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out spelled.key; sign spelled root client ""`,
		server: "-cert server.pem -key server.key" + mutual, cert: "spelled",
		openssl: "bad certificate", kind: mqttlink.BadCertificate, words: []string{"named curve"}},
	{name: "key with a pass phrase", make: `openssl pkey -in client.key -aes256 -passout pass:secret -out locked.key`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.pem,locked.key", openssl: "Could not read client certificate private key", kind: mqttlink.BadKey, words: []string{"pass phrase", "openssl pkey -in "}},
	{name: "key of the old form with a pass phrase", make: `openssl ec -in client.key -aes256 -passout pass:secret -out lockedold.key`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.pem,lockedold.key", openssl: "Could not read client certificate private key", kind: mqttlink.BadKey, words: []string{"pass phrase", "openssl pkey -in "}},
	{name: "key of another certificate", server: "-cert server.pem -key server.key" + mutual, cert: "client.pem,server.key", openssl: "key values mismatch",
		kind: mqttlink.KeyMismatch, words: []string{"does not belong"}},
	{name: "PKCS#12 as certificate", make: `openssl pkcs12 -export -passout pass:secret -in client.pem -inkey client.key -out client.p12`, server: "-cert server.pem -key server.key" + mutual,
		cert: "client.p12,client.p12", openssl: "Could not read", kind: mqttlink.BadCertificate, words: []string{"is a PKCS#12 file", "openssl pkcs12"}},
}

// TestCertificatesAsOpenSSLTakesThem puts what openssl's client says of a server and of
// files beside what we say. docs/certificates.md is written from it. Public reports:
// eclipse/mosquitto#2692 and #3352, thomasnordquist/MQTT-Explorer#596,
// owntracks/android#1694, mqttjs/MQTT.js#663, influxdata/telegraf#15612,
// istio/istio#56815, awslabs/aws-c-io#280, EdJoPaTo/mqttui#140.
func TestCertificatesAsOpenSSLTakesThem(t *testing.T) {
	dir := t.TempDir()
	bash(t, dir, certificatesCommon)
	if n := len(certificatePairs); n < 30 {
		t.Fatalf("only %d pairs", n)
	}
	for _, p := range certificatePairs {
		t.Run(p.name, func(t *testing.T) {
			if p.make != "" {
				bash(t, dir, certificatesScript+p.make)
			}
			theirs := p.openSSL(t, dir)
			if !regexp.MustCompile("(?i)" + p.openssl).MatchString(theirs) {
				t.Errorf("openssl says %q, want %q", theirs, p.openssl)
			}
			ours, kind := p.pithings(t, dir)
			t.Logf("\n  openssl:  %s\n  pithings: %s", theirs, ours)
			if kind != p.kind {
				t.Errorf("kind %q, want %q: %s", kind, p.kind, ours)
			}
			for _, w := range p.words {
				if !strings.Contains(ours, w) {
					t.Errorf("%q does not hold %q", ours, w)
				}
			}
		})
	}
}

func bash(t *testing.T, dir, script string) {
	t.Helper()
	c := exec.Command("bash", "-c", script)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// listen starts the server for one client and returns its address. What is sent to a
// client once it is through is a CONNACK: a client that reads it has accepted the certificate.
func (p *pairing) listen(t *testing.T, dir string) string {
	t.Helper()
	if p.raw != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, p.raw)
			io.Copy(io.Discard, c)
		}()
		return l.Addr().String()
	}
	args := p.server
	if args == "" {
		args = "-cert server.pem -key server.key"
	}
	c := exec.Command(binary.Need(t, "openssl"), append([]string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "1"}, strings.Fields(args)...)...)
	c.Dir = dir
	var errors bytes.Buffer
	c.Stderr = &errors
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	drained := make(chan struct{})
	t.Cleanup(func() {
		c.Process.Kill()
		<-drained
		c.Wait()
	})
	defer func() {
		go func() {
			defer close(drained)
			io.Copy(io.Discard, lines)
		}()
	}()
	for {
		line, err := lines.ReadString('\n')
		if address, ok := strings.CutPrefix(line, "ACCEPT "); ok {
			if _, err := in.Write(connack); err != nil { // read when a client is through
				t.Fatal(err)
			}
			return strings.TrimSpace(address)
		}
		if err != nil {
			t.Fatalf("openssl s_server %s: %v\n%s", args, err, errors.String())
		}
	}
}

var connack = []byte{0x20, 2, 0, 0}

// files returns the client's.
func (p *pairing) files() (ca, cert, key string) {
	cert, key, _ = strings.Cut(p.cert, ",")
	if cert != "" && key == "" {
		cert, key = p.cert+".pem", p.cert+".key"
	}
	return cmp.Or(p.ca, "root.pem"), cert, key
}

// openSSL returns what openssl s_client says, "ok" if it has read from the server.
func (p *pairing) openSSL(t *testing.T, dir string) string {
	t.Helper()
	address, host := p.listen(t, dir), cmp.Or(p.host, "broker.example")
	ca, cert, key := p.files()
	args := []string{"s_client", "-connect", address, "-CAfile", ca, "-verify_return_error", "-quiet"}
	if net.ParseIP(host) != nil {
		args = append(args, "-noservername", "-verify_ip", host)
	} else {
		args = append(args, "-servername", host, "-verify_hostname", host)
	}
	if cert != "" {
		args = append(args, "-cert", cert, "-key", key, "-pass", "pass:")
	}
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	c := exec.CommandContext(ctx, binary.Need(t, "openssl"), args...)
	c.Dir = dir
	var said bytes.Buffer
	c.Stderr = &said
	in, err := c.StdinPipe() // held open: s_client ends with its input
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(connack))
	_, err = io.ReadFull(out, got)
	through := err == nil && bytes.Equal(got, connack)
	if through {
		c.Process.Kill()
	}
	c.Wait()
	if through {
		return "ok"
	}
	return strings.Join(strings.Fields(said.String()), " ")
}

// pithings returns what a link says, "" if it is through.
func (p *pairing) pithings(t *testing.T, dir string) (string, mqttlink.Kind) {
	t.Helper()
	address, host := p.listen(t, dir), cmp.Or(p.host, "broker.example")
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID = "mqtts://"+host, "test"
	ca, cert, key := p.files()
	o.CA = filepath.Join(dir, ca)
	if cert != "" {
		o.Cert, o.Key = filepath.Join(dir, cert), filepath.Join(dir, key)
	}
	o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return attempt(t, o)
}

// attempt connects once, and returns why it could not; "" if it could.
func attempt(t *testing.T, o mqttlink.Options) (string, mqttlink.Kind) {
	t.Helper()
	refusals := make(refusals, 1)
	o.Log = slog.New(refusals)
	online := make(chan struct{}, 1)
	o.OnState = func(s mqttlink.State) {
		if s == mqttlink.Online {
			online <- struct{}{}
		}
	}
	o.Backoff.Min, o.Backoff.Max = time.Hour, time.Hour // one attempt
	link, err := mqttlink.New(o)
	var fault *mqttlink.Fault
	if errors.As(err, &fault) {
		return fault.Line, fault.Kind
	} else if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), binary.Patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	select {
	case <-online:
		return "", ""
	case r := <-refusals:
		return r.line, r.kind
	case <-ctx.Done():
		t.Fatal("neither online nor refused")
		return "", ""
	}
}

// A broker that encrypts and an endpoint that does not, and the other way around: the
// endpoint that works is in the message. Koenkk/zigbee2mqtt#3068.
func TestOtherSchemeIsOffered(t *testing.T) {
	ca := newAuthority(t)
	plain := mosquitto(t, "allow_anonymous true")
	encrypted := mosquitto(t, ca.mutual()...)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := func(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	for _, tt := range []struct{ name, endpoint, offer string }{
		{"mqtts to a port without TLS", at("mqtts", plain), at("mqtt", plain)},
		{"mqtt to a TLS port", at("mqtt", encrypted), at("mqtts", encrypted)},
		{"mqtts, nothing listens", at("mqtts", port(free)), at("mqtt", port(free))},
		{"mqtts, no answer", at("mqtts", port(silent)), at("mqtt", port(silent))},
		{"mqtt, no answer", at("mqtt", port(silent)), at("mqtts", port(silent))},
		{"wss to a port without TLS", at("wss", plain), at("ws", plain)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := mqttlink.DefaultOptions()
			o.Endpoint, o.ClientID, o.ConnectTimeout = tt.endpoint, "test", time.Second
			line, kind := attempt(t, o)
			if !strings.Contains(line, tt.offer) {
				t.Errorf("%s: %q does not offer %s", kind, line, tt.offer)
			}
		})
	}
}

// The commands of docs/certificates.md make what all programs accept.
func TestDocumentedAuthorityIsTaken(t *testing.T) {
	text, err := os.ReadFile("../../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```sh\n")
	commands, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the page has no commands")
	}
	dir := t.TempDir()
	shell(t, dir, "set -e\n"+commands)
	for _, host := range []string{"broker.local", "192.168.1.5"} {
		p := pairing{server: "-cert broker.pem -key broker.key", ca: "ca.pem", host: host}
		if s := p.openSSL(t, dir); s != "ok" {
			t.Errorf("openssl: %s", s)
		}
		if s, _ := p.pithings(t, dir); s != "" {
			t.Error(s)
		}
	}
}

// refusals is a log that keeps why there is no connection.
type refusals chan refusal

type refusal struct {
	line string
	kind mqttlink.Kind
}

func (refusals) Enabled(context.Context, slog.Level) bool { return true }
func (r refusals) WithAttrs([]slog.Attr) slog.Handler     { return r }
func (r refusals) WithGroup(string) slog.Handler          { return r }
func (r refusals) Handle(_ context.Context, record slog.Record) error {
	if record.Message != "no connection" {
		return nil
	}
	var f refusal
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "err":
			f.line = a.Value.String()
		case "kind":
			f.kind = mqttlink.Kind(a.Value.String())
		}
		return true
	})
	select {
	case r <- f:
	default: // one is enough
	}
	return nil
}
